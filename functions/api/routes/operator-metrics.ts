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
