import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { openHttpBridge } from '../../../functions/http-bridge/open-http-bridge.ts';
import { openStepExecutor } from '../../../functions/step-executor/open-step-executor.ts';
import { createEngineServices, type EngineServices } from '../../../shared/composition/engine-services.ts';
import type { TopicName } from '../../../shared/config/topics.ts';
import { parseDefinition } from '../../../shared/definition/parse-definition.ts';
import type { MskEvent } from '../../../shared/kafka/msk-event.ts';
import type { AgentResult, AgentTask } from '../../../shared/messages/messages.ts';
import { createWorkflows } from '../../../shared/persistence/workflows.ts';
import { auditEntry } from '../../support/audit-entry.ts';
import { type DatabaseRelay, startDatabaseRelay } from '../../support/database-relay.ts';
import { addQuickAgent } from '../../support/quick-agents.ts';
import { openRunWorld, type RunWorld } from '../../support/run-world.ts';
import { sequence } from '../../support/sequence.ts';
import type { ReadRecord, TopicReader } from '../../support/topic-reader.ts';

/*
 * How often a step waits for the database, counted between the real functions and the real database, with the settings that a
 * deployment has. Each invocation is of one record.
 */
const TRIPS = {
  /** The environment has decided runs of the workflow, but never this one. */
  cold: 2,
  /** It made the decision before this one. */
  warm: 1,
  /** More, where what comes next reads what an earlier step brought, or variables. */
  ofData: 1,
  /** More, for the end of a branch: its join and the attempt that opened it, at once. */
  ofJoin: 2,
  /** It made one before, and another environment the last. */
  stale: 2,
  /** It enters no step. */
  ofTheRunsEnd: 1,
  /** More, for a step of an agent that reads its own topic: its time runs from when it was published. */
  agentClock: 1,
  /** Whether the attempt is open, and how its agent is called. */
  ofTheBridge: 1,
  /** When the step has gone on by its topic, where the environment saves seldom, as here: it may be frozen next. */
  removal: 1,
};
const STEPS = 5;

let world: RunWorld;
let starter: EngineServices;
let requests: TopicReader<object>;
let results: TopicReader<AgentResult>;
let kafkaTasks: TopicReader<AgentTask>;
let httpTasks: TopicReader<AgentTask>;
const closers: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  world = await openRunWorld({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    // What is counted is steps whose tasks go by their topics.
    variables: { QUICK_CALL_PATIENCE_MS: '0' },
  });
  starter = createEngineServices(world.environment, 'starter');
  [requests, results, httpTasks, kafkaTasks] = await Promise.all([
    world.readTopic<object>('executionRequests'),
    world.readTopic<AgentResult>('results'),
    world.readTopic<AgentTask>('httpTasks'),
    world.addKafkaAgent('over-kafka'),
  ]);
  await world.addAgent('over-http');
});
afterAll(async () => {
  await Promise.all(closers.map((close) => close()));
  await starter?.close();
  await world?.close();
});

/** An execution environment of the step-executor that counts its round trips. */
async function startExecutor(carryOut = world.environment.carryOut) {
  const { relay, environment: given } = await counted();
  const environment = { ...given, carryOut };
  const fail = (message: string) => {
    throw new Error(message);
  };
  const log = { debug: () => {}, warn: fail, error: fail };
  const { handler, close } = openStepExecutor(environment, { log });
  closers.push(close);
  const context = { getRemainingTimeInMillis: () => 60_000 };
  return countingOf(relay, (event) => handler(event, context));
}

async function startBridge() {
  const { relay, environment } = await counted();
  const { bridge, close } = openHttpBridge(environment, { functionName: null, warn: () => {} });
  closers.push(close);
  return countingOf(relay, (event) => bridge.handleRecords(event, { remainingMs: () => 60_000 }));
}

async function counted() {
  const relay = await startDatabaseRelay(world.environment.databaseUrl);
  closers.push(relay.close);
  return { relay, environment: { ...world.environment, databaseUrl: relay.url } };
}

/** @returns one that hands a record to the function, and tells what round trips that took. */
function countingOf(relay: DatabaseRelay, handle: (event: MskEvent) => Promise<unknown>) {
  return async (topic: TopicName, value: object) => {
    relay.count();
    await handle(eventOf(world.environment.topics[topic], value));
    return relay.count();
  };
}

function eventOf(topic: string, value: object): MskEvent {
  const record = {
    topic,
    partition: 0,
    offset: 0,
    timestamp: Date.now(),
    timestampType: 'CREATE_TIME',
    value: Buffer.from(JSON.stringify(value)).toString('base64'),
    headers: [],
  };
  return { eventSource: 'aws:kafka', records: { [`${topic}-0`]: [record] } };
}

/** @returns one that starts runs of a workflow whose steps this agent carries out, and gives the record of each. */
const workflowOf = (agentName: string) => startsOf(sequence(`trips-${randomUUID()}`, agentName, STEPS));

async function startsOf(definition: object) {
  const workflows = createWorkflows(world.database);
  const parsed = parseDefinition(definition);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { id } = await workflows.addVersionByName('ann', parsed.definition, 'ann', auditEntry);
  const viewer = { userId: 'ann', isAdmin: true, communities: [] };
  const { workflow } = (await workflows.maybeFindExecutable(viewer, id))!;
  return async () => {
    const { runId } = await starter.startRun({
      owner: 'ann',
      triggeredBy: 'ann',
      workflow,
      inputData: { message: 'a message' },
      variables: undefined,
      communityId: null,
      metadata: null,
    });
    return { runId, request: await firstOf(requests, ({ key }) => key === runId) };
  };
}

async function firstOf<T>(reader: TopicReader<T>, passes: (record: ReadRecord<T>) => boolean): Promise<T> {
  const [record] = await reader.when(passes, 1);
  return record!.value;
}

const taskOf = (tasks: TopicReader<AgentTask>, runId: string, stepId: string) =>
  firstOf(tasks, ({ value }) => value.run_id === runId && value.step_id === stepId);

const answerTo = (task: AgentTask): AgentResult => ({
  message_type: 'agent_result',
  run_id: task.run_id,
  step_execution_id: task.step_execution_id,
  attempt: task.attempt,
  status: 'completed',
  output_data: task.input_data,
  result_token: task.result_token,
});

describe('the round trips to the database', () => {
  test('of a step in an environment that knows its run, and in one that does not', async () => {
    const start = await workflowOf('over-http');
    const [first, second] = [await startExecutor(), await startExecutor()];
    const [run, other] = [await start(), await start()];
    await first('executionRequests', run.request);
    await second('executionRequests', other.request);
    const answer = async (stepId: string) => answerTo(await taskOf(httpTasks, run.runId, stepId));

    expect({
      warm: await first('results', await answer('s1')),
      cold: await second('results', await answer('s2')),
      stale: await first('results', await answer('s3')),
      warmAgain: await first('results', await answer('s4')),
      last: await first('results', await answer('s5')),
    }).toEqual({
      warm: TRIPS.warm + TRIPS.removal,
      cold: TRIPS.cold + TRIPS.removal,
      stale: TRIPS.stale + TRIPS.removal,
      warmAgain: TRIPS.warm + TRIPS.removal,
      last: TRIPS.ofTheRunsEnd + TRIPS.removal,
    });
    const { status } = await world.database.one<{ status: string }>(
      'select status from workflow_runs where run_id = $1',
      [run.runId],
    );
    expect(status).toBe('COMPLETED');
  });

  test.each([
    ['the input of the run', '$.workflow_input.message', 0],
    ['what an earlier step brought', '$.s1.output_data.message', TRIPS.ofData],
    ['variables', '$.variables.message', TRIPS.ofData],
  ])('of a step that reads %s', async (_what, path, more) => {
    const step = { agent_name: 'over-http', input_mapping: { message: path } };
    const start = await startsOf({
      name: `trips-${randomUUID()}`,
      start_step: 's1',
      steps: {
        s1: { ...step, input_mapping: { message: '$.workflow_input.message' }, next_step: 's2' },
        s2: { ...step, next_step: 's3' },
        s3: { ...step, next_step: 's4' },
        s4: step,
      },
    });
    const [first, second] = [await startExecutor(), await startExecutor()];
    const [run, other] = [await start(), await start()];
    await first('executionRequests', run.request);
    await second('executionRequests', other.request);
    const answer = async (stepId: string) => answerTo(await taskOf(httpTasks, run.runId, stepId));
    await first('results', await answer('s1'));

    expect({
      cold: await second('results', await answer('s2')),
      warm: await second('results', await answer('s3')),
    }).toEqual({ cold: TRIPS.cold + more + TRIPS.removal, warm: TRIPS.warm + TRIPS.removal });
  });

  test('of a branch, in an environment that knows its run, and in one that does not', async () => {
    const branch = (id: string) => ({
      start_step: id,
      steps: { [id]: { agent_name: 'over-http', input_mapping: { message: '$.workflow_input.message' } } },
    });
    const branches = { a: branch('a1'), b: branch('b1'), c: branch('c1') };
    const start = await startsOf({
      name: `trips-${randomUUID()}`,
      start_step: 'all',
      steps: { all: { type: 'parallel', branches } },
    });
    const steps = await world.readTopic<{ run_id: string }>('stepRequests');
    const [first, second] = [await startExecutor(), await startExecutor()];
    const [run, other] = [await start(), await start()];
    await first('executionRequests', run.request);
    await second('executionRequests', other.request);
    const asked = await steps.when(({ value }) => value.run_id === run.runId, 3);
    const [one, two, three] = asked.map(({ value }) => value) as [object, object, object];
    const answer = async (stepId: string) => answerTo(await taskOf(httpTasks, run.runId, stepId));

    expect({
      warm: [await first('stepRequests', one), await first('stepRequests', two)],
      cold: await second('stepRequests', three),
    }).toEqual({
      warm: [TRIPS.warm + TRIPS.removal, TRIPS.warm + TRIPS.removal],
      cold: TRIPS.cold + TRIPS.removal,
    });
    const { step_id: stepId } = await firstOf(httpTasks, ({ value }) => value.run_id === run.runId);
    expect(await second('results', await answer(stepId))).toBe(TRIPS.cold + TRIPS.ofJoin + TRIPS.removal);
  });

  test('of a step whose agent reads its own topic', async () => {
    const start = await workflowOf('over-kafka');
    const executor = await startExecutor();
    const { runId, request } = await start();
    await executor('executionRequests', request);
    const trips: number[] = [];
    for (const stepId of ['s1', 's2', 's3'])
      trips.push(await executor('results', answerTo(await taskOf(kafkaTasks, runId, stepId))));
    expect(trips).toEqual(trips.map(() => TRIPS.warm + TRIPS.agentClock + TRIPS.removal));
  });

  test('of a step whose agent answers at once: none more', async () => {
    // What it takes is told to the others where it is another than they believe.
    await addQuickAgent(world, 'at-once', undefined, { averageMs: 100 });
    const start = await workflowOf('at-once');
    const patience = { patienceMs: 2_000, stepsPerInvocation: 1, maxStepsPerInvocation: 1 };
    const executor = await startExecutor(patience);
    const { runId, request } = await start();
    await executor('executionRequests', request);
    const trips: number[] = [];
    for (let answered = 1; answered <= 3; answered++) {
      const answers = await results.when(({ value }) => value.run_id === runId, answered);
      trips.push(await executor('results', answers.at(-1)!.value));
    }
    expect(trips).toEqual(trips.map(() => TRIPS.warm));
    expect(httpTasks.records.filter(({ value }) => value.run_id === runId)).toEqual([]);
  });

  test('of a step whose agent the bridge calls', async () => {
    const start = await workflowOf('over-http');
    const [executor, bridge] = [await startExecutor(), await startBridge()];
    const { runId, request } = await start();
    await executor('executionRequests', request);
    const trips: { bridge: number; executor: number }[] = [];
    for (const stepId of ['s1', 's2', 's3']) {
      const task = await taskOf(httpTasks, runId, stepId);
      const ofBridge = await bridge('httpTasks', task);
      const isIts = ({ value }: ReadRecord<AgentResult>) =>
        value.step_execution_id === task.step_execution_id;
      const ofExecutor = await executor('results', await firstOf(results, isIts));
      trips.push({ bridge: ofBridge, executor: ofExecutor });
    }
    // Its first call opens the connection.
    const [, ...later] = trips;
    const executorTrips = TRIPS.warm + TRIPS.removal;
    expect(later).toEqual(later.map(() => ({ bridge: TRIPS.ofTheBridge, executor: executorTrips })));
  });
});
