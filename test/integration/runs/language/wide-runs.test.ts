import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { EngineEvent } from '../../../../shared/engine/event.ts';
import { type EngineHarness, openEngineHarness, type Published } from '../../../support/engine-harness.ts';
import {
  expectNothingLeft,
  type LanguageStack,
  startLanguageStack,
} from '../../../support/language-stack.ts';

/*
 * What a step costs does not grow with what is beside it: joins are counted, not gathered, until they are over (design §3).
 */
let stack: LanguageStack;
let engine: EngineHarness;
beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
  stack = await startLanguageStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    batchSizes: { stepBatchSize: 100, bridgeBatchSize: 100 },
  });
  await stack.addAgent('echo');
});
afterEach(() => expectNothingLeft(stack));
afterAll(async () => {
  await engine?.close();
  await stack?.close();
});

const step = { agent_name: 'echo', input_mapping: { n: '$.workflow_input.n' } };

const parallelOf = (width: number) => ({
  start_step: 'all',
  steps: {
    all: {
      type: 'parallel',
      branches: Object.fromEntries(
        Array.from({ length: width }, (_, i) => [
          `b${i}`,
          { start_step: `b${i}-step`, steps: { [`b${i}-step`]: step } },
        ]),
      ),
      output_mapping: `$.output.b${width - 1}.n`,
    },
  },
});

const mapOf = (max_concurrency: number) => ({
  start_step: 'each',
  steps: {
    each: {
      type: 'map',
      items: '$.workflow_input.items',
      max_concurrency,
      start_step: 'one',
      steps: { one: { ...step, input_mapping: { n: '$.item' }, output_mapping: '$.output.n' } },
    },
  },
});

test('500 branches complete, each once', async () => {
  const runId = await stack.start('wide', parallelOf(500), { n: 7 });
  expect(await stack.client.ended(runId, 120_000)).toMatchObject({ status: 'COMPLETED', output_data: 7 });
  expect(await countsOf(runId)).toEqual({ attempts: 501, completed: 501, scopes: 501 });
});

test('1,000 items complete, each once, in their order', async () => {
  const items = Array.from({ length: 1_000 }, (_, i) => i);
  const runId = await stack.start('long', mapOf(100), { items });
  const run = await stack.client.ended(runId, 120_000);
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

test.each([
  ['branch', (width: number) => parallelOf(width)],
  ['item', () => mapOf(3)],
])('a %s costs as many statements beside 19 others as beside 79', async (what, definitionOf) => {
  // A run of fewer branches is kept by the environment that has opened them.
  const [twenty, forty, eighty] = [
    await statementsOf(`twenty-${what}`, definitionOf(20), 20),
    await statementsOf(`forty-${what}`, definitionOf(40), 40),
    await statementsOf(`eighty-${what}`, definitionOf(80), 80),
  ];
  expect((eighty - forty) / 40).toBe((forty - twenty) / 20);
});

/** Of a run to its end, its records decided one at a time, in their order. */
async function statementsOf(name: string, definition: object, width: number): Promise<number> {
  const { workflowId } = await engine.registerWorkflow({ name, ...definition });
  const next = engine.broker.published.length;
  const items = Array.from({ length: width }, (_, i) => i);
  const runId = await engine.start(workflowId, { input: { n: 7, items } });
  let statements = 0;
  const decide = async (event: EngineEvent) => {
    engine.database.forget();
    expect(await engine.decide(runId, event)).toMatchObject({ outcome: 'decided' });
    // Where the next decision is long in coming, what was published does not wait for it.
    statements += engine.database.recorded.filter(({ sql }) => !sql.includes('remove_outbox')).length;
  };
  for (let i = next; i < engine.broker.published.length; i++) {
    const { value } = engine.broker.published[i] as Published;
    const stepExecutionId = String(value.step_execution_id);
    if (value.message_type === 'execution_request') await decide({ type: 'execution_requested' });
    if (value.message_type === 'step_request') await decide({ type: 'step_requested', stepExecutionId });
    if (value.message_type === 'agent_task') {
      const outcome = { status: 'completed', output: value.input_data ?? null } as const;
      await decide({ type: 'agent_answered', stepExecutionId, attempt: 1, logs: null, outcome });
    }
  }
  expect(await engine.runRow(runId)).toMatchObject({ status: 'COMPLETED' });
  return statements;
}
