import { z } from 'zod';
import { requireAdmin } from '../permissions.ts';
import { EXPOSITION_TYPE, expositionOf } from '../presenters/exposition.ts';
import { metricFamiliesOf } from '../presenters/operator-metrics.ts';
import { defineRoute } from '../route.ts';

export const operatorMetricsRoutes = [
  defineRoute({
    method: 'GET',
    path: '/metrics',
    operationId: 'getMetrics',
    summary: 'What Prometheus scrapes, out of the database: any function gives the same answer',
    operation: {
      tags: ['service'],
      answers: {
        200: {
          schema: z.string(),
          contentType: EXPOSITION_TYPE.split(';')[0] ?? '',
          example: '# TYPE stepline_outbox_rows gauge\nstepline_outbox_rows 0\n',
        },
      },
      refusals: { PERMISSION_DENIED: 'It is for admins.' },
    },
    authentication: 'caller',
    async handle({ caller }, { operations }) {
      requireAdmin(caller);
      const families = metricFamiliesOf({
        durations: await operations.readRunDurations(),
        deadLetters: await operations.readDeadLetterCounts(),
        backlog: await operations.readBacklog(),
        sizes: await operations.readBacklogSizes(),
      });
      return { status: 200, text: expositionOf(families), contentType: EXPOSITION_TYPE };
    },
  }),
];
