import type { Situation } from './situation.ts';

const DAY_SECONDS = 86_400;

/** Agents that have been asked, in each way that they can be, and what they have still to say. */
export const agentAnswers: readonly Situation[] = [
  {
    name: 'waits-for-a-callback',
    workflows: () => [
      {
        name: 'waits-for-a-callback',
        start_step: 'first',
        steps: {
          first: {
            agent_name: 'echo',
            input_mapping: { message: '$.workflow_input.message' },
            next_step: 'ask',
          },
          ask: {
            agent_name: 'later',
            timeout_seconds: DAY_SECONDS,
            heartbeat_seconds: DAY_SECONDS,
            next_step: 'last',
          },
          last: {
            agent_name: 'echo',
            input_mapping: { first: '$.first.output_data.message', told: '$.ask.output_data.told' },
          },
        },
      },
    ],
    variables: { message: 'hello' },
    begin: async ({ asked }, runId) => void (await asked(runId, 1)),
    open: ['first COMPLETED', 'ask RUNNING'],
    async end({ asked, callBack }, runId) {
      const [call] = await asked(runId, 1);
      await callBack(call, { told: 'at last' });
    },
    outcome: { status: 'COMPLETED', output_data: { first: 'hello', told: 'at last' } },
    attempts: ['first COMPLETED', 'ask COMPLETED', 'last COMPLETED'],
  },
  {
    name: 'waits-for-a-function',
    workflows: () => [
      {
        name: 'waits-for-a-function',
        start_step: 'function',
        steps: {
          function: { agent_name: 'function', input_mapping: { n: 1 }, next_step: 'ask' },
          ask: {
            agent_name: 'function-later',
            timeout_seconds: DAY_SECONDS,
            catch: [{ next_step: 'caught' }],
          },
          caught: { type: 'pass', result: ['$.error.code', '$.function.output_data'] },
        },
      },
    ],
    begin: async ({ asked }, runId) => void (await asked(runId, 1)),
    open: ['function COMPLETED', 'ask RUNNING'],
    async end({ asked, callBack }, runId) {
      const [call] = await asked(runId, 1);
      await callBack(call, { code: 'NOT_THERE', message: 'Gone', retryable: false }, '/fail');
    },
    outcome: { status: 'COMPLETED', output_data: ['NOT_THERE', { n: 1 }] },
    attempts: ['function COMPLETED', 'ask FAILED NOT_THERE', 'caught COMPLETED'],
  },
  {
    name: 'waits-for-a-kafka-agent',
    workflows: () => [
      {
        name: 'waits-for-a-kafka-agent',
        start_step: 'ask',
        steps: { ask: { agent_name: 'by-kafka', timeout_seconds: DAY_SECONDS } },
      },
    ],
    open: ['ask RUNNING'],
    end: ({ answerTask }, runId) => answerTask(runId, { by: 'kafka' }),
    outcome: { status: 'COMPLETED', output_data: { by: 'kafka' } },
    attempts: ['ask COMPLETED'],
  },
  {
    name: 'waits-in-its-second-loop',
    workflows: () => [
      {
        name: 'waits-in-its-second-loop',
        start_step: 'ask',
        steps: {
          ask: {
            agent_name: 'later',
            timeout_seconds: DAY_SECONDS,
            assign: { more: '$.output.more' },
            next_step: 'more',
          },
          more: {
            type: 'choice',
            choices: [{ variable: '$.variables.more', boolean_equals: true, next_step: 'ask' }],
            default_next_step: 'end',
          },
          end: { type: 'succeed', result: '$.ask.output_data' },
        },
      },
    ],
    async begin({ asked, callBack }, runId) {
      const [first] = await asked(runId, 1);
      await callBack(first, { more: true });
      await asked(runId, 2);
    },
    open: ['ask COMPLETED', 'more COMPLETED', 'ask visit 2 RUNNING'],
    async end({ asked, callBack }, runId) {
      const [, second] = await asked(runId, 2);
      await callBack(second, { more: false });
    },
    outcome: { status: 'COMPLETED', output_data: { more: false } },
    attempts: [
      'ask COMPLETED',
      'more COMPLETED',
      'ask visit 2 COMPLETED',
      'more visit 2 COMPLETED',
      'end COMPLETED',
    ],
  },
];
