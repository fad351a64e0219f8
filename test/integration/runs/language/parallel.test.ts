import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { createTokens } from '../../../../shared/agents/tokens.ts';
import { eventually } from '../../../support/eventually.ts';
import {
  attemptsOf,
  expectNothingLeft,
  type LanguageStack,
  startLanguageStack,
} from '../../../support/language-stack.ts';
import { TASKS_BY_TOPIC } from '../../../support/quick-agents.ts';

let stack: LanguageStack;
beforeAll(async () => {
  stack = await startLanguageStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    variables: TASKS_BY_TOPIC,
  });
  await stack.addAgent('echo');
  await stack.addAgent('failing', () => ({ status: 400, body: { code: 'NO_DISK', message: 'Full' } }));
  await stack.addAgent('silent', () => ({ status: 202 }));
});
afterEach(() => expectNothingLeft(stack));
afterAll(() => stack?.close());

const agentStep = (agent_name: string, more: object = {}) => ({ agent_name, retry: [], ...more });
/** A branch of one step, whose id is unique by the branch's name. */
const branch = (name: string, step: object) => ({
  start_step: `${name}-step`,
  steps: { [`${name}-step`]: step },
});

test('all branches run side by side, each on its own copy of the variables; the outputs are by name', async () => {
  stack.hold('httpTasks', true);
  const runId = await stack.start(
    'all',
    {
      start_step: 'both',
      steps: {
        both: {
          type: 'parallel',
          branches: {
            left: {
              start_step: 'l1',
              steps: {
                l1: { agent_name: 'echo', assign: { seen: 'left' }, next_step: 'l2' },
                l2: { agent_name: 'echo', input_mapping: { seen: '$.variables.seen' } },
              },
            },
            'a / branch #2': {
              start_step: 'r1',
              steps: {
                r1: { agent_name: 'echo', input_mapping: { seen: '$.variables.seen' }, next_step: 'r2' },
                r2: { agent_name: 'echo', input_mapping: { before: '$.r1.output_data' } },
              },
            },
          },
          next_step: 'after',
        },
        after: {
          agent_name: 'echo',
          input_mapping: { outputs: '$.both.output_data', seen: '$.variables.seen' },
        },
      },
    },
    { seen: 'before' },
  );
  // Both have begun before either is answered.
  await eventually(
    'both branches',
    () => attemptsOf(stack, runId),
    (seen) => seen.filter((attempt) => /\/[lr]1 RUNNING$/.test(attempt)).length === 2,
  );
  stack.hold('httpTasks', false);
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: {
      outputs: { left: { seen: 'left' }, 'a / branch #2': { before: { seen: 'before' } } },
      seen: 'before',
    },
  });
  const attempts = await attemptsOf(stack, runId);
  expect(attempts.toSorted()).toEqual([
    'after COMPLETED',
    'both COMPLETED',
    'both#1/a%20%2F%20branch%20%232/r1 COMPLETED',
    'both#1/a%20%2F%20branch%20%232/r2 COMPLETED',
    'both#1/left/l1 COMPLETED',
    'both#1/left/l2 COMPLETED',
  ]);
});

test.each([
  ['any', 'any', ['quick']],
  ['two', 2, ['next', 'quick']],
] as const)('of branches that wait for %s the others are cancelled', async (name, wait_for, completed) => {
  const { runId, ...run } = await stack.run(`wait-for-${name}`, {
    start_step: 'race',
    steps: {
      race: {
        type: 'parallel',
        wait_for,
        branches: {
          late: branch('late', agentStep('silent')),
          quick: branch('quick', agentStep('echo')),
          next: branch('next', agentStep(name === 'any' ? 'silent' : 'echo')),
          failing: branch('failing', agentStep('failing')),
        },
      },
    },
  });
  expect(run.status).toBe('COMPLETED');
  expect(Object.keys(run.output_data as object).toSorted()).toEqual(completed);
  const ended = await attemptsOf(stack, runId);
  expect(ended).toContain('race#1/late/late-step CANCELLED');
  // The answer of what was cancelled is refused, whichever way it comes.
  const { id } = await stack.database.one<{ id: string }>(
    "select step_execution_id as id from step_executions where run_id = $1 and step_id = 'late-step'",
    [runId],
  );
  await stack.produce('results', runId, {
    message_type: 'agent_result',
    run_id: runId,
    step_execution_id: id,
    attempt: 1,
    status: 'completed',
    output_data: 'too late',
    result_token: createTokens(stack.environment.secretKey).resultToken(id),
  });
  const call = await eventually(
    'the call',
    () => stack.agents.callsOf('silent').find(({ body }) => body.step_execution_id === id),
    (seen) => seen !== undefined,
  );
  const headers = { 'content-type': 'application/json' };
  const late = await fetch(call?.body.callback_url ?? '', { method: 'POST', headers, body: '"too late"' });
  expect(late.status).toBe(409);
  await stack.run(`passing-${name}`, { start_step: 'a', steps: { a: { agent_name: 'echo' } } });
  expect(await attemptsOf(stack, runId)).toEqual(ended);
});

test('a branch that fails fails the step and cancels the others; that can be caught', async () => {
  const { runId, ...run } = await stack.run('one-fails', {
    start_step: 'both',
    steps: {
      both: {
        type: 'parallel',
        branches: {
          good: branch('good', agentStep('silent')),
          bad: branch('bad', agentStep('failing')),
        },
        catch: [{ codes: ['NO_DISK'], next_step: 'caught' }],
      },
      caught: { type: 'pass', result: '$.error' },
    },
  });
  expect(run).toMatchObject({
    status: 'COMPLETED',
    output_data: {
      code: 'NO_DISK',
      message: expect.stringMatching(/^Full \(agent "failing" at /),
      step: 'both',
      attempt: 1,
    },
  });
  expect((await attemptsOf(stack, runId)).toSorted()).toEqual([
    'both FAILED NO_DISK',
    'both#1/bad/bad-step FAILED NO_DISK',
    'both#1/good/good-step CANCELLED',
    'caught COMPLETED',
  ]);
});

test.each([
  ['any', 'any', {}],
  ['two', 2, { good: branch('good', { type: 'pass', result: 1 }) }],
] as const)(
  'of branches that wait for %s, it fails as the one that was one too many',
  async (name, wait_for, good) => {
    const run = await stack.run(`too-few-${name}`, {
      start_step: 'race',
      steps: {
        race: {
          type: 'parallel',
          wait_for,
          branches: {
            ...good,
            one: branch('one', agentStep('failing')),
            other: branch('other', agentStep('failing')),
          },
          catch: [{ codes: ['NO_DISK'], next_step: 'caught' }],
        },
        caught: { type: 'pass', result: '$.error' },
      },
    });
    expect(run).toMatchObject({
      status: 'COMPLETED',
      output_data: {
        code: 'NO_DISK',
        message: expect.stringMatching(/^Full \(agent "failing" at /),
        step: 'race',
      },
    });
  },
);

test('an error that a branch catches itself is not the step’s', async () => {
  const run = await stack.run('caught-inside', {
    start_step: 'both',
    steps: {
      both: {
        type: 'parallel',
        branches: {
          good: branch('good', { type: 'pass', result: 1 }),
          bad: {
            start_step: 'tried',
            steps: {
              tried: agentStep('failing', { catch: [{ next_step: 'told' }] }),
              told: { type: 'succeed', result: '$.error.code' },
            },
          },
        },
      },
    },
  });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: { good: 1, bad: 'NO_DISK' } });
});

test('a step that is repeated begins its branches anew', async () => {
  await stack.addAgent('once-broken', ({ body }) =>
    stack.agents.callsOf('once-broken').length === 1
      ? { status: 400, body: { code: 'BUSY', message: 'Not now' } }
      : { body: body.input_data },
  );
  const { runId, ...run } = await stack.run('repeated', {
    start_step: 'both',
    steps: {
      both: {
        type: 'parallel',
        branches: {
          a: branch('a', { type: 'pass', result: 'a' }),
          b: branch('b', agentStep('once-broken', { input_mapping: { b: 1 } })),
        },
        retry: { max_attempts: 2, initial_interval_ms: 10, codes: ['BUSY'] },
      },
    },
  });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: { a: 'a', b: { b: 1 } } });
  const attempts = await attemptsOf(stack, runId);
  expect(attempts.filter((attempt) => attempt.includes('b-step'))).toEqual([
    'both#1/b/b-step FAILED BUSY',
    'both#2/b/b-step COMPLETED',
  ]);
});

test('its time limit ends what is open inside, at any depth', async () => {
  const { runId, ...run } = await stack.run('timed', {
    start_step: 'outer',
    steps: {
      outer: {
        type: 'parallel',
        timeout_seconds: 0.4,
        branches: {
          waits: branch('waits', { type: 'wait', seconds: 3_600 }),
          asks: branch('asks', { type: 'signal', signal: 'never' }),
          deep: branch('deep', {
            type: 'parallel',
            branches: { deeper: branch('deeper', agentStep('silent')) },
          }),
        },
        catch: [{ codes: ['TIMEOUT'], next_step: 'caught' }],
      },
      caught: { type: 'pass', result: '$.error.code' },
    },
  });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: 'TIMEOUT' });
  expect((await attemptsOf(stack, runId)).toSorted()).toEqual([
    'caught COMPLETED',
    'outer FAILED TIMEOUT',
    'outer#1/asks/asks-step CANCELLED',
    'outer#1/deep/deep-step CANCELLED',
    'outer#1/deep/deep-step#1/deeper/deeper-step CANCELLED',
    'outer#1/waits/waits-step CANCELLED',
  ]);
});

test('a run that is cancelled in the middle has nothing open in any branch', async () => {
  const runId = await stack.start(
    'cancelled',
    {
      start_step: 'outer',
      steps: {
        outer: {
          type: 'parallel',
          branches: {
            done: branch('done', agentStep('echo')),
            waits: branch('waits', { type: 'wait', seconds: 3_600 }),
            deep: branch('deep', {
              type: 'map',
              items: '$.workflow_input.items',
              max_concurrency: 1,
              ...branch('item', agentStep('silent')),
            }),
          },
        },
      },
    },
    { items: [1, 2] },
  );
  await eventually(
    'everything that can begin',
    () => attemptsOf(stack, runId),
    (seen) =>
      seen.filter((attempt) => attempt.endsWith(' RUNNING')).length === 4 &&
      seen.some((attempt) => attempt.endsWith('done-step COMPLETED')),
  );
  expect(await stack.cancel(runId)).toBe('200 CANCELLED');
  expect((await attemptsOf(stack, runId)).toSorted()).toEqual([
    'outer CANCELLED',
    'outer#1/deep/deep-step CANCELLED',
    'outer#1/deep/deep-step#1/0/item-step CANCELLED',
    'outer#1/done/done-step COMPLETED',
    'outer#1/waits/waits-step CANCELLED',
  ]);
});
