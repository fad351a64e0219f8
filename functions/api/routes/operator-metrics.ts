import * as z from 'zod';
import { defineRoute } from '../http/route.ts';
import { EXPOSITION_TYPE, expositionOf, type MetricFamily } from '../presenters/exposition.ts';
import { metricFamiliesOf } from '../presenters/operator-metrics.ts';
import { requireAdmin } from './find-permitted.ts';

const exampleFamily: MetricFamily = {
  name: 'stepline_dead_letters_total',
  help: 'Records that could not be dealt with, by the topic they came from.',
  type: 'counter',
  samples: [{ labels: { topic: 'results.topic' }, value: 2 }],
};

export const operatorMetricsRoutes = [
  defineRoute({
    method: 'GET',
    path: '/metrics',
    operationId: 'getMetrics',
    summary: 'What Prometheus scrapes, out of the database: any function gives the same answer',
    operation: {
      tags: ['service'],
      answers: {
        200: { schema: z.string(), contentType: 'text/plain', example: expositionOf([exampleFamily]) },
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
