import * as z from 'zod';
import { unavailable } from '../api-error.ts';
import { type DeepHealth, deepHealthFields, deepHealthOf, excessesOf } from '../deep-health.ts';
import { requireAdmin } from '../find-permitted.ts';
import { envelope } from '../operation.ts';
import { flag } from '../request-fields.ts';
import { defineRoute } from '../route.ts';
import type { ApiServices } from '../services.ts';

const CHECK_TIMEOUT_MS = 1_500;

const healthFields = {
  status: z.literal('healthy'),
  database: z.literal('up'),
  kafka: z.literal('up'),
};

// With `deep` all of them.
const health = z.union([
  z.strictObject(healthFields),
  z.strictObject({ ...healthFields, ...deepHealthFields }),
]);

export const healthRoutes = [
  defineRoute({
    method: 'GET',
    path: '/health',
    operationId: 'getHealth',
    summary: 'Whether the API reaches the database and Kafka; with `deep`, whether the work gets done',
    operation: {
      tags: ['service'],
      answers: { 200: envelope(health, { beside: { status: z.literal('healthy') } }) },
      refusals: {
        PERMISSION_DENIED: '`deep` is for admins.',
        SERVICE_UNAVAILABLE:
          'Something is not reachable, or with `deep` over its threshold; `details` says what.',
      },
    },
    authentication: 'optional',
    needsCredentials: ({ deep }) => deep === 'true',
    // Not strict: what load balancers ask for has sometimes more in it.
    query: z.object({
      deep: flag
        .default(false)
        .describe('To admins: what waits and for how long; 503 where something is over its threshold.'),
    }),
    async handle({ caller, query }, { healthChecks, operations }) {
      if (query.deep) requireAdmin(caller);
      const [database, kafka] = await Promise.all([
        stateOf(healthChecks.database),
        stateOf(healthChecks.kafka),
      ]);
      const checks = { database, kafka };
      const down = Object.entries(checks).flatMap(([name, state]) => (state === 'down' ? [name] : []));
      if (down.length > 0) throw unavailable(`Not reachable: ${down.join(', ')}`, { details: checks });
      const deep = query.deep ? await deepHealth(operations) : {};
      const data = { status: 'healthy', ...checks, ...deep };
      return { status: 200, message: 'Healthy', data, beside: { status: data.status } };
    },
  }),
];

/** @throws ApiError 503 naming what is over its threshold */
async function deepHealth(operations: ApiServices['operations']): Promise<DeepHealth> {
  const [backlog, lags] = await Promise.all([
    operations.readBacklog(),
    operations.readConsumerLag().catch(() => null),
  ]);
  const health = deepHealthOf(backlog, lags);
  const excesses = excessesOf(health);
  if (excesses.length > 0) {
    throw unavailable(`Over the threshold: ${excesses.join(', ')}`, { details: { ...health } });
  }
  return health;
}

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
