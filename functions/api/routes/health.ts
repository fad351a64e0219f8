import * as z from 'zod';
import { flag } from '../fields/request-fields.ts';
import { unavailable } from '../http/api-error.ts';
import { envelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import {
  type DeepHealth,
  deepHealthFields,
  deepHealthOf,
  excessesOf,
  type KnownHealth,
} from '../presenters/deep-health.ts';
import type { ApiServices } from '../services.ts';
import { requireAdmin } from './find-permitted.ts';

const CHECK_TIMEOUT_MS = 1_500;
const BACKLOG_TIMEOUT_MS = 5_000;

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
          'Something is not reachable, or with `deep` over its threshold; `details` says what, as far as it is known.',
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
      const [checks, known] = await Promise.all([
        statesOf(healthChecks),
        query.deep ? readDeepHealth(operations) : null,
      ]);
      const down = serverNames.filter((name) => checks[name] === 'down');
      const excesses = known === null ? [] : excessesOf(known, down);
      const problems = [
        ...(down.length > 0 ? [`Not reachable: ${down.join(', ')}`] : []),
        ...(excesses.length > 0 ? [`Over the threshold: ${excesses.join(', ')}`] : []),
      ];
      if (problems.length > 0)
        throw unavailable(problems.join('. '), { details: { ...checks, ...(known ?? {}) } });
      // Nothing is unknown, or it would have been a problem.
      const data = { status: 'healthy', ...checks, ...(known as DeepHealth | null) };
      return { status: 200, message: 'Healthy', data, beside: { status: data.status } };
    },
  }),
];

const serverNames = ['database', 'kafka'] as const;

async function statesOf(healthChecks: ApiServices['healthChecks']) {
  const [database, kafka] = await Promise.all([stateOf(healthChecks.database), stateOf(healthChecks.kafka)]);
  return { database, kafka };
}

/** What waits is told by the one server also where the other is away. */
async function readDeepHealth(operations: ApiServices['operations']): Promise<KnownHealth> {
  const [backlog, lags] = await Promise.all([
    withinTime(operations.readBacklog(), BACKLOG_TIMEOUT_MS).catch(() => null),
    operations.readConsumerLag().catch(() => null),
  ]);
  return deepHealthOf(backlog, lags);
}

async function stateOf(check: () => Promise<unknown>): Promise<'up' | 'down'> {
  return withinTime(check(), CHECK_TIMEOUT_MS).then(
    () => 'up' as const,
    () => 'down' as const,
  );
}

async function withinTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(reject, timeoutMs, new Error(`no answer within ${timeoutMs} ms`));
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
