import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { expectNothingLeft, type LanguageStack, startLanguageStack } from '../../../support/language-stack.ts';

/*
 * What a step costs does not grow with what is beside it: joins are counted, not gathered, until they are over (design §3).
 */
let stack: LanguageStack;
beforeAll(async () => {
  stack = await startLanguageStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    batchSizes: { stepBatchSize: 100, bridgeBatchSize: 100 },
    // What is asked for in bulk may wait in a queue here; nothing is lost, and nothing is to be asked for twice.
    partitions: 1,
  });
  await stack.addAgent('echo');
});
afterEach(() => expectNothingLeft(stack));
afterAll(() => stack?.close());

const step = { agent_name: 'echo', input_mapping: { n: '$.workflow_input.n' } };

test('500 branches complete, each once', async () => {
  const names = Array.from({ length: 500 }, (_, i) => `b${i}`);
  const runId = await stack.start(
    'wide',
    {
      start_step: 'all',
      steps: {
        all: {
          type: 'parallel',
          branches: Object.fromEntries(
            names.map((name) => [name, { start_step: `${name}-step`, steps: { [`${name}-step`]: step } }]),
          ),
          output_mapping: '$.output.b499.n',
        },
      },
    },
    { n: 7 },
  );
  expect(await stack.client.ended(runId, 45_000)).toMatchObject({ status: 'COMPLETED', output_data: 7 });
  expect(await countsOf(runId)).toEqual({ attempts: 501, completed: 501, scopes: 501 });
});

test('1,000 items complete, each once, in their order', async () => {
  const items = Array.from({ length: 1_000 }, (_, i) => i);
  const runId = await stack.start(
    'long',
    {
      start_step: 'each',
      steps: {
        each: {
          type: 'map',
          items: '$.workflow_input.items',
          max_concurrency: 100,
          start_step: 'one',
          steps: { one: { ...step, input_mapping: { n: '$.item' }, output_mapping: '$.output.n' } },
        },
      },
    },
    { items },
  );
  const run = await stack.client.ended(runId, 45_000);
  expect([run.status, run.output_data]).toEqual(['COMPLETED', items]);
  expect(await countsOf(runId)).toEqual({ attempts: 1_001, completed: 1_001, scopes: 1_001 });
});

async function countsOf(runId: string) {
  const { attempts, completed, scopes } = await stack.database.one<Record<string, string>>(
    `select count(*) as attempts, count(*) filter (where status = 'COMPLETED') as completed,
            count(distinct (scope, step_id)) as scopes
       from step_executions where run_id = $1`,
    [runId],
  );
  return { attempts: Number(attempts), completed: Number(completed), scopes: Number(scopes) };
}
