import { z } from 'zod';
import { unavailable } from '../api-error.ts';
import { envelope } from '../operation.ts';
import { defineRoute } from '../route.ts';

const CHECK_TIMEOUT_MS = 1_500;

const health = z.strictObject({
  status: z.literal('healthy'),
  database: z.literal('up'),
  kafka: z.literal('up'),
});

export const healthRoutes = [
  defineRoute({
    method: 'GET',
    path: '/health',
    operationId: 'getHealth',
    summary: 'Whether the API reaches the database and Kafka',
    operation: {
      tags: ['service'],
      answers: { 200: envelope(health, { beside: { status: z.literal('healthy') } }) },
      refusals: { SERVICE_UNAVAILABLE: 'Something is not reachable; `details` says what.' },
    },
    authentication: 'none',
    async handle(_request, { healthChecks }) {
      const [database, kafka] = await Promise.all([
        stateOf(healthChecks.database),
        stateOf(healthChecks.kafka),
      ]);
      const checks = { database, kafka };
      const down = Object.entries(checks).flatMap(([name, state]) => (state === 'down' ? [name] : []));
      if (down.length > 0) throw unavailable(`Not reachable: ${down.join(', ')}`, { details: checks });
      const data = { status: 'healthy', ...checks };
      return { status: 200, message: 'Healthy', data, beside: { status: data.status } };
    },
  }),
];

async function stateOf(check: () => Promise<unknown>): Promise<'up' | 'down'> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<'down'>((resolve) => {
    timer = setTimeout(resolve, CHECK_TIMEOUT_MS, 'down');
  });
  const checked = check().then(
    () => 'up' as const,
    () => 'down' as const,
  );
  try {
    return await Promise.race([checked, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
