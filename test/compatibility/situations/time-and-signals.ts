import type { Situation } from './situation.ts';

/** Runs that wait for a time, or for somebody's word. */
export const timeAndSignals: readonly Situation[] = [
  {
    name: 'waits-for-its-retry',
    workflows: ({ seconds }) => [
      {
        name: 'waits-for-its-retry',
        start_step: 'ask',
        steps: {
          ask: {
            agent_name: 'unstable',
            input_mapping: { n: '$.workflow_input.n' },
            retry: {
              max_attempts: 3,
              initial_interval_ms: seconds * 1_000,
              max_interval_ms: seconds * 1_000,
              backoff_rate: 1,
              jitter: 'none',
            },
          },
        },
      },
    ],
    variables: { n: 7 },
    open: ['ask FAILED AGENT_ERROR', 'ask attempt 2 PENDING'],
    passes: true,
    outcome: { status: 'COMPLETED', output_data: { n: 7 } },
    attempts: ['ask FAILED AGENT_ERROR', 'ask attempt 2 COMPLETED'],
  },
  {
    name: 'waits-for-a-time',
    workflows: ({ seconds }) => [
      {
        name: 'waits-for-a-time',
        start_step: 'set',
        steps: {
          set: { type: 'pass', result: 1, assign: { kept: '$.workflow_input.kept' }, next_step: 'wait' },
          wait: { type: 'wait', seconds, next_step: 'tell' },
          tell: { type: 'pass', result: '$.variables.kept' },
        },
      },
    ],
    variables: { kept: ['a', { b: null }] },
    open: ['set COMPLETED', 'wait RUNNING'],
    passes: true,
    outcome: { status: 'COMPLETED', output_data: ['a', { b: null }] },
    attempts: ['set COMPLETED', 'wait COMPLETED', 'tell COMPLETED'],
  },
  {
    name: 'may-not-take-longer',
    workflows: ({ seconds }) => [
      {
        name: 'may-not-take-longer',
        timeout_seconds: seconds,
        start_step: 'never',
        steps: { never: { type: 'signal', signal: 'never' } },
      },
    ],
    open: ['never RUNNING'],
    passes: true,
    outcome: { status: 'FAILED', error_code: 'TIMEOUT' },
    attempts: ['never CANCELLED'],
  },
  {
    name: 'waits-for-a-signal',
    workflows: () => [
      {
        name: 'waits-for-a-signal',
        start_step: 'word',
        steps: {
          word: { type: 'signal', signal: 'word', next_step: 'which' },
          which: {
            type: 'choice',
            choices: [{ variable: '$.word.output_data', string_equals: 'no', next_step: 'refuse' }],
            default_next_step: 'accept',
          },
          refuse: { type: 'fail', error_code: 'WAS_REFUSED', error_message: '$.word.output_data' },
          accept: { type: 'succeed', result: 'yes' },
        },
      },
    ],
    open: ['word RUNNING'],
    end: ({ post }, runId) => post(`/api/v1/runs/${runId}/signals/word`, { payload: 'no' }),
    outcome: { status: 'FAILED', error_code: 'WAS_REFUSED' },
    attempts: ['word COMPLETED', 'which COMPLETED', 'refuse FAILED WAS_REFUSED'],
  },
  {
    name: 'has-a-signal-already',
    workflows: () => [
      {
        name: 'has-a-signal-already',
        start_step: 'ask',
        steps: {
          ask: { agent_name: 'later', timeout_seconds: 86_400, next_step: 'word' },
          word: { type: 'signal', signal: 'word' },
        },
      },
    ],
    async begin({ asked, post }, runId) {
      await asked(runId, 1);
      await post(`/api/v1/runs/${runId}/signals/word`, { payload: { early: true }, id: 'one' });
    },
    open: ['ask RUNNING'],
    async end({ asked, callBack, post }, runId) {
      // The same once more, which counts once.
      await post(`/api/v1/runs/${runId}/signals/word`, { payload: { early: false }, id: 'one' });
      const [call] = await asked(runId, 1);
      await callBack(call, {});
    },
    outcome: { status: 'COMPLETED', output_data: { early: true } },
    attempts: ['ask COMPLETED', 'word COMPLETED'],
  },
];
