import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type ProcessStack, startProcessStack } from '../../support/process-stack.ts';
import { sequence } from '../../support/sequence.ts';

/*
 * Each of the topics has one partition, so tasks wait for those before them: in the same batch, or, beyond it, for the batch.
 */
let stack: ProcessStack;
beforeAll(async () => {
  stack = await startProcessStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    batchSizes: { stepBatchSize: 1, bridgeBatchSize: 1 },
  });
});
afterAll(() => stack?.close());

const never = () => new Promise<never>(() => {});

const agents = {
  http: {
    addHanging: (name: string) => stack.addAgent(name, never),
    addQuick: (name: string) => stack.addAgent(name),
    calls: (name: string) => stack.agents.callsOf(name).length,
  },
  lambda: {
    addHanging: (name: string) => stack.addLambdaAgent(name, never, { timeoutMs: 600_000 }),
    addQuick: (name: string) => stack.addLambdaAgent(name),
    calls: (name: string) => stack.lambda.eventsOf(name).length,
  },
};

test.each(['http', 'lambda'] as const)(
  'a hanging %s agent, whose step may take long, holds back no task behind it',
  async (kind) => {
    const { addHanging, addQuick, calls } = agents[kind];
    const [hanging, quick] = [`${kind}-hanging`, `${kind}-quick`];
    await addHanging(hanging);
    await addQuick(quick);
    const { createWorkflow, execute, ended, send } = stack.client;
    const slow = await createWorkflow(sequence(hanging, hanging, 1, { timeout_seconds: 300, retry: [] }));
    const held = await Promise.all([execute(slow), execute(slow), execute(slow)]);
    await eventually(
      'their calls',
      () => calls(hanging),
      (count) => count === 3,
    );
    const runId = await execute(await createWorkflow(sequence(quick, quick, 3)), { message: 'past them' });
    expect(await ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: 'past them' },
    });
    for (const id of held) {
      expect((await send('POST', `/api/v1/runs/${id}/cancel`, { body: {} })).status).toBe(200);
      expect((await ended(id)).status).toBe('CANCELLED');
    }
    expect(calls(hanging)).toBe(3);
  },
);
