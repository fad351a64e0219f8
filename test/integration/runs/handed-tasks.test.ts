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
    addBehaving: (name: string, hangs: () => boolean) =>
      stack.addAgent(name, ({ body }) => (hangs() ? never() : { body: body.input_data })),
    calls: (name: string) => stack.agents.callsOf(name).length,
  },
  lambda: {
    addHanging: (name: string) => stack.addLambdaAgent(name, never, { timeoutMs: 600_000 }),
    addQuick: (name: string) => stack.addLambdaAgent(name),
    addBehaving: (name: string, hangs: () => boolean) =>
      stack.addLambdaAgent(name, ({ input_data }) => (hangs() ? never() : input_data), {
        timeoutMs: 600_000,
      }),
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

test.each(['http', 'lambda'] as const)(
  'eight calls of a slow %s agent that nobody has called yet hold back no task behind them, and are made once each',
  async (kind) => {
    const { addHanging, addQuick, calls } = agents[kind];
    const [slow, quick] = [`${kind}-not-yet-known`, `${kind}-unrelated`];
    await addHanging(slow);
    await addQuick(quick);
    const { createWorkflow, execute, ended, send } = stack.client;
    // Its step does not say that it may take long.
    const slowId = await createWorkflow(sequence(slow, slow, 1, { retry: [] }));
    const next = await createWorkflow(sequence(quick, quick, 3));
    const held = await Promise.all(Array.from({ length: 8 }, () => execute(slowId)));
    // One after the other they would take eight minutes.
    expect(await ended(await execute(next, { message: 'past them' }), 240_000)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: 'past them' },
    });
    await eventually(
      'their calls',
      () => calls(slow),
      (count) => count === 8,
    );
    for (const id of held) {
      await send('POST', `/api/v1/runs/${id}/cancel`, { body: {} });
      await ended(id);
    }
    expect(calls(slow)).toBe(8);
  },
);

test.each(['http', 'lambda'] as const)(
  'a quick %s agent that begins to hang, in a step of a minute, holds back the tasks behind it for seconds',
  async (kind) => {
    const { addBehaving, addQuick, calls } = agents[kind];
    const [hanging, quick] = [`${kind}-begins-to-hang`, `${kind}-still-quick`];
    let hangs = false;
    await addBehaving(hanging, () => hangs);
    await addQuick(quick);
    const { createWorkflow, execute, ended, send } = stack.client;
    const slow = await createWorkflow(sequence(hanging, hanging, 1, { timeout_seconds: 60, retry: [] }));
    const next = await createWorkflow(sequence(quick, quick, 3));
    // The first answer, to a bridge that is cold, may take longer: the others tell that it is quick.
    for (let i = 0; i < 10; i++) expect((await ended(await execute(slow))).status).toBe('COMPLETED');
    const before = calls(hanging);

    hangs = true;
    const held = await execute(slow);
    await eventually(
      'its call',
      () => calls(hanging),
      (count) => count > before,
    );
    expect(await ended(await execute(next), 50_000)).toMatchObject({ status: 'COMPLETED' });
    // Its own time, a minute, is not over: it was given up, and is called by another invocation. Where the machine is so busy that it
    // never was quick, it was handed on at once.
    expect((await stack.client.findRun(held)).status).toBe('RUNNING');
    const again = calls(hanging) - before;
    expect([1, 2]).toContain(again);
    expect((await send('POST', `/api/v1/runs/${held}/cancel`, { body: {} })).status).toBe(200);
    expect((await ended(held)).status).toBe('CANCELLED');
  },
);
