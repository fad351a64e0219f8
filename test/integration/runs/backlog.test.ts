import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import type { StepRequest, Wake } from '../../../shared/messages/messages.ts';
import { eventually } from '../../support/eventually.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { sequence } from '../../support/sequence.ts';
import type { TopicReader } from '../../support/topic-reader.ts';

const RUNS = 10;
const LOOKS = 6;

let stack: RunStack;
let requests: TopicReader<StepRequest | Wake>;
beforeAll(async () => {
  stack = await startRunStack({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  requests = await stack.readTopic('stepRequests');
  await stack.addAgent('quick');
  await stack.addAgent('broken', () => ({ status: 400, body: { code: 'NO', message: 'no' } }));
});
afterAll(() => stack?.close());
beforeEach(() => {
  stack.hold('executionRequests', false);
  stack.hold('stepRequests', false);
});

const wakes = () => requests.records.filter(({ value }) => value.message_type === 'wake').length;

/** Time has passed for what is PENDING: it falls due, as what was asked for when it was made and nothing came of. */
async function fallDue(table: 'workflow_runs' | 'step_executions'): Promise<void> {
  await stack.database.execute(
    `update ${table} set wake_at = now(), leased_until = now(),
            lease_ms = greatest(1, (extract(epoch from now() - created_at) * 1000)::bigint) where status = 'PENDING'`,
  );
  await eventually(
    'the timekeeper to have looked',
    () => stack.database.many(`select 1 from ${table} where status = 'PENDING' and wake_at <= now()`),
    ({ length }) => length === 0,
  );
}

test('runs whose requests wait for the executor are not woken, however often they fall due', async () => {
  const workflowId = await stack.client.createWorkflow(sequence('held-runs', 'quick', 1));
  stack.hold('executionRequests', true);
  const runIds = await Promise.all(Array.from({ length: RUNS }, () => stack.client.execute(workflowId)));
  for (let i = 0; i < LOOKS; i++) await fallDue('workflow_runs');
  expect(wakes()).toBe(0);
  stack.hold('executionRequests', false);
  for (const runId of runIds) expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
  expect(wakes()).toBe(0);
});

test('steps whose requests wait for the executor are not woken, however often they fall due', async () => {
  const steps = {
    first: { agent_name: 'broken', retry: [], catch: [{ next_step: 'handle' }] },
    handle: { agent_name: 'quick' },
  };
  const workflowId = await stack.client.createWorkflow({ name: 'held-steps', start_step: 'first', steps });
  stack.hold('stepRequests', true);
  const runIds = await Promise.all(Array.from({ length: RUNS }, () => stack.client.execute(workflowId)));
  const isOf = ({ value }: { value: StepRequest | Wake }) => runIds.includes(value.run_id);
  await requests.when(isOf, RUNS);
  for (let i = 0; i < LOOKS; i++) await fallDue('step_executions');
  expect(requests.records.filter(isOf)).toHaveLength(RUNS);
  stack.hold('stepRequests', false);
  for (const runId of runIds) expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
  expect(wakes()).toBe(0);
});

test('I7: a run whose request is lost begins by its wake once what waits is read', async () => {
  const workflowId = await stack.client.createWorkflow(sequence('lost', 'quick', 1));
  const runId = await stack.client.execute(workflowId);
  expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
  const lost = `run-${crypto.randomUUID()}`;
  await stack.database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, workflow_definition_id, workflow_version_id, version, status,
                                owner, created_at, wake_at)
     select $1, workflow_id, workflow_name, workflow_definition_id, workflow_version_id, version, 'PENDING', owner,
            now() - interval '2 minutes', now() from workflow_runs where run_id = $2`,
    [lost, runId],
  );
  expect((await stack.client.ended(lost)).status).toBe('COMPLETED');
  expect(wakes()).toBe(1);
});
