import type { JsonObject } from '../../../shared/engine/json.ts';
import { eventually } from '../../support/eventually.ts';
import type { RunWorld } from '../../support/run-world.ts';
import type { Call } from '../stage.ts';
import type { Situation } from './situation.ts';

const branch = (name: string, step: JsonObject) => ({ start_step: name, steps: { [name]: step } });

/** Branches, items and children, some of them at their end and some not. */
export const containers: readonly Situation[] = [
  {
    name: 'has-open-branches',
    workflows: ({ seconds }) => [
      {
        name: 'has-open-branches',
        start_step: 'all',
        steps: {
          all: {
            type: 'parallel',
            branches: {
              done: branch('made', { type: 'pass', result: 'made' }),
              asked: branch('ask', { agent_name: 'later', timeout_seconds: 86_400 }),
              told: branch('word', { type: 'signal', signal: 'word' }),
              timed: branch('wait', { type: 'wait', seconds, output_mapping: 'it was time' }),
            },
            next_step: 'joined',
          },
          joined: { agent_name: 'echo', input_mapping: { all: '$.all.output_data' } },
        },
      },
    ],
    begin: async ({ asked }, runId) => void (await asked(runId, 1)),
    open: [
      'all RUNNING',
      'all#1/asked/ask RUNNING',
      'all#1/done/made COMPLETED',
      'all#1/timed/wait RUNNING',
      'all#1/told/word RUNNING',
    ],
    passes: true,
    async end({ asked, callBack, post }, runId) {
      await post(`/api/v1/runs/${runId}/signals/word`, { payload: 'word' });
      const [call] = await asked(runId, 1);
      await callBack(call, { told: true });
    },
    outcome: {
      status: 'COMPLETED',
      output_data: { all: { done: 'made', asked: { told: true }, told: 'word', timed: 'it was time' } },
    },
    attempts: [
      'all COMPLETED',
      'all#1/asked/ask COMPLETED',
      'all#1/done/made COMPLETED',
      'all#1/timed/wait COMPLETED',
      'all#1/told/word COMPLETED',
      'joined COMPLETED',
    ],
  },
  {
    name: 'has-open-items',
    workflows: () => [
      {
        name: 'has-open-items',
        start_step: 'each',
        steps: {
          each: {
            type: 'map',
            items: '$.workflow_input.items',
            max_concurrency: 2,
            tolerated_failures: 1,
            start_step: 'ask',
            steps: {
              ask: {
                agent_name: 'later',
                input_mapping: { item: '$.item' },
                timeout_seconds: 86_400,
                retry: [],
                next_step: 'tell',
              },
              tell: { type: 'pass', result: ['$.index', '$.ask.output_data.of'] },
            },
          },
        },
      },
    ],
    variables: { items: ['a', 'b', 'c', 'd'] },
    async begin({ asked, callBack }, runId) {
      const calls = await asked(runId, 2);
      await callBack(callOf(calls, 'a'), { of: 'a' });
      await asked(runId, 3);
    },
    open: [
      'each RUNNING',
      'each#1/0/ask COMPLETED',
      'each#1/0/tell COMPLETED',
      'each#1/1/ask RUNNING',
      'each#1/2/ask RUNNING',
    ],
    async end({ asked, callBack }, runId) {
      const calls = await asked(runId, 3);
      await callBack(callOf(calls, 'b'), { code: 'BAD_ITEM', message: 'No', retryable: false }, '/fail');
      await callBack(callOf(calls, 'c'), { of: 'c' });
      await callBack(callOf(await asked(runId, 4), 'd'), { of: 'd' });
    },
    outcome: { status: 'COMPLETED', output_data: [[0, 'a'], null, [2, 'c'], [3, 'd']] },
    attempts: [
      'each COMPLETED',
      'each#1/0/ask COMPLETED',
      'each#1/0/tell COMPLETED',
      'each#1/1/ask FAILED BAD_ITEM',
      'each#1/2/ask COMPLETED',
      'each#1/2/tell COMPLETED',
      'each#1/3/ask COMPLETED',
      'each#1/3/tell COMPLETED',
    ],
  },
  {
    name: 'has-an-open-child',
    workflows: () => [
      {
        name: 'child-that-asks',
        start_step: 'ask',
        steps: { ask: { agent_name: 'later', timeout_seconds: 86_400 } },
      },
      {
        name: 'has-an-open-child',
        start_step: 'call',
        steps: {
          call: {
            type: 'workflow',
            workflow_name: 'child-that-asks',
            input_mapping: { n: '$.workflow_input.n' },
            next_step: 'after',
          },
          after: { type: 'pass', result: ['$.call.output_data', '$.workflow_input.n'] },
        },
      },
    ],
    variables: { n: 3 },
    open: ['call RUNNING'],
    async end({ asked, callBack, world }, runId) {
      const [call] = await asked(await childOf(world, runId), 1);
      await callBack(call, { told: 'by the child' });
    },
    outcome: { status: 'COMPLETED', output_data: [{ told: 'by the child' }, 3] },
    attempts: ['call COMPLETED', 'after COMPLETED'],
    closings: ['COMPLETED', 'COMPLETED'],
  },
  {
    name: 'is-to-be-cancelled',
    workflows: () => [
      {
        name: 'child-for-ever',
        start_step: 'never',
        steps: { never: { type: 'signal', signal: 'never' } },
      },
      {
        name: 'is-to-be-cancelled',
        start_step: 'all',
        steps: {
          all: {
            type: 'parallel',
            branches: {
              child: branch('call', { type: 'workflow', workflow_name: 'child-for-ever' }),
              ask: branch('ask', { agent_name: 'later', timeout_seconds: 86_400 }),
            },
          },
        },
      },
    ],
    async begin({ asked, world }, runId) {
      await asked(runId, 1);
      await childOf(world, runId);
    },
    open: ['all RUNNING', 'all#1/ask/ask RUNNING', 'all#1/child/call RUNNING'],
    async end({ post, client, world }, runId) {
      await post(`/api/v1/runs/${runId}/cancel`, { reason: 'not needed' });
      await client.ended(await childOf(world, runId));
    },
    outcome: { status: 'CANCELLED' },
    attempts: ['all CANCELLED', 'all#1/ask/ask CANCELLED', 'all#1/child/call CANCELLED'],
    closings: ['CANCELLED', 'CANCELLED'],
  },
];

function callOf(calls: readonly Call[], item: string): Call | undefined {
  return calls.find(({ input_data }) => JSON.stringify(input_data) === JSON.stringify({ item }));
}

async function childOf({ database }: RunWorld, runId: string): Promise<string> {
  const [child] = await eventually(
    `the child of ${runId}`,
    () =>
      database.many<{ run_id: string }>('select run_id from workflow_runs where parent_run_id = $1', [runId]),
    ({ length }) => length === 1,
  );
  return child!.run_id;
}
