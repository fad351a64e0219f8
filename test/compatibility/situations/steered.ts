import type { Situation } from './situation.ts';

const asking = (name: string, then: string) => ({
  name,
  start_step: 'ask',
  steps: {
    ask: { agent_name: 'later', timeout_seconds: 86_400, next_step: then },
    [then]: { agent_name: 'echo', input_mapping: { told: '$.ask.output_data.told' } },
  },
});

/** Runs that somebody has paused, cancelled or is to retry, and those that have ended. */
export const steered: readonly Situation[] = [
  {
    name: 'is-paused',
    workflows: () => [asking('is-paused', 'held')],
    async begin({ asked, callBack, post }, runId) {
      const [call] = await asked(runId, 1);
      await post(`/api/v1/runs/${runId}/pause`);
      await callBack(call, { told: 'while paused' });
    },
    open: ['ask COMPLETED', 'held PENDING'],
    end: ({ post }, runId) => post(`/api/v1/runs/${runId}/resume`),
    outcome: { status: 'COMPLETED', output_data: { told: 'while paused' } },
    attempts: ['ask COMPLETED', 'held COMPLETED'],
  },
  {
    name: 'has-failed',
    workflows: () => [
      {
        name: 'has-failed',
        start_step: 'make',
        steps: {
          make: { agent_name: 'echo', input_mapping: { n: 1 }, next_step: 'ask' },
          ask: { agent_name: 'refusing', retry: [], next_step: 'both' },
          both: { type: 'pass', result: ['$.make.output_data.n', '$.ask.output_data'] },
        },
      },
    ],
    begin: async ({ client }, runId) => void (await client.ended(runId)),
    open: ['make COMPLETED', 'ask FAILED REFUSED'],
    end: ({ post }, runId) => post(`/api/v1/runs/${runId}/retry`),
    outcome: { status: 'COMPLETED', output_data: [1, 'accepted'] },
    attempts: ['make COMPLETED', 'ask FAILED REFUSED', 'ask attempt 2 COMPLETED', 'both COMPLETED'],
    closings: ['FAILED', 'COMPLETED'],
  },
  {
    name: 'was-cancelled',
    workflows: () => [asking('was-cancelled', 'after')],
    async begin({ asked, post, client }, runId) {
      await asked(runId, 1);
      await post(`/api/v1/runs/${runId}/cancel`, { reason: 'too early' });
      await client.ended(runId);
    },
    open: ['ask CANCELLED'],
    async end({ asked, callBack, post }, runId) {
      await post(`/api/v1/runs/${runId}/retry`);
      const [, again] = await asked(runId, 2);
      await callBack(again, { told: 'after all' });
    },
    outcome: { status: 'COMPLETED', output_data: { told: 'after all' } },
    attempts: ['ask CANCELLED', 'ask attempt 2 COMPLETED', 'after COMPLETED'],
    closings: ['CANCELLED', 'COMPLETED'],
  },
  {
    name: 'has-completed',
    workflows: () => [
      {
        name: 'has-completed',
        start_step: 'ask',
        steps: {
          ask: { agent_name: 'refusing', retry: [], catch: [{ next_step: 'caught' }] },
          caught: { type: 'pass', result: '$.error.code' },
        },
      },
    ],
    begin: async ({ client }, runId) => void (await client.ended(runId)),
    open: ['ask FAILED REFUSED', 'caught COMPLETED'],
    outcome: { status: 'COMPLETED', output_data: 'REFUSED' },
    attempts: ['ask FAILED REFUSED', 'caught COMPLETED'],
  },
];
