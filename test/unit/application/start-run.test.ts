import { describe, expect, it } from 'vitest';
import { withPlans, workflowIdOf } from '../../../shared/application/plan-messages.ts';
import type { Delivery, OutboxEntry } from '../../../shared/application/ports/publishing.ts';
import { createPublishEntries } from '../../../shared/application/publish-entries.ts';
import {
  createStartRun,
  type EarlierRun,
  type NewRun,
  type StartRunCommand,
} from '../../../shared/application/start-run.ts';
import { topicsFor } from '../../../shared/config/topics.ts';
import { parseDefinition } from '../../../shared/definition/parse-definition.ts';
import type { JsonObject } from '../../../shared/engine/json.ts';

const T0 = Date.parse('2024-01-15T10:30:00.000Z');
const topics = topicsFor({
  prefix: '',
  executionTopic: 'workflow.execution.requests',
  cancellationTopic: 'workflow.cancellation.requests',
});

/** api-executor-integration, Message Flow. */
const steps = {
  extract: {
    id: 'extract',
    agent_name: 'data-extractor',
    next_step: 'transform',
    input_mapping: { source: '$.workflow_input.source_url' },
  },
  transform: {
    id: 'transform',
    agent_name: 'data-transformer',
    next_step: null,
    input_mapping: { data: '$.extract.output_data' },
  },
};
const executionRequest = {
  run_id: 'run-123e4567-e89b-12d3-a456-426614174000',
  workflow_plan: {
    workflow_id: 'wf-data-pipeline-1',
    name: 'data-pipeline',
    version: '1',
    start_step: 'extract',
    steps,
  },
  input_data: { source_url: 's3://bucket/data.csv' },
  timestamp: '2024-01-15T10:30:00.000Z',
  message_type: 'execution_request',
};

function definitionOf(input: object) {
  const parsed = parseDefinition(input);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.definition;
}

const definition = definitionOf({ name: 'data-pipeline', start_step: 'extract', steps });

const command: StartRunCommand = {
  owner: 'ann',
  triggeredBy: 'bob',
  workflow: { id: 'w-1', name: 'data-pipeline', version: 1, versionId: 'v-1', definition },
  inputData: { source_url: 's3://bucket/data.csv' },
  variables: undefined,
  communityId: 7,
  metadata: { a: 1 },
};

function setUp({
  brokerIsAway = false,
  noteFails = false,
  insertFails = false,
  earlier = null as EarlierRun | null,
} = {}) {
  const did: string[] = [];
  const inserted: NewRun[] = [];
  const published: { topic: string; key: string; value: JsonObject }[] = [];
  const removed: string[] = [];
  const notes: string[] = [];
  const ids = ['123e4567-e89b-12d3-a456-426614174000', 'entry-1'];
  const publishEntries = createPublishEntries({
    publisher: {
      async send(messages) {
        did.push('publish');
        if (!brokerIsAway) published.push(...messages);
        const delivery: Delivery = brokerIsAway
          ? { status: 'unsent', reason: 'Kafka did not answer within 1000 ms' }
          : { status: 'acknowledged' };
        return { deliveries: messages.map(() => delivery), late: null };
      },
    },
    outbox: {
      async remove(entryIds) {
        did.push('remove');
        removed.push(...entryIds);
      },
      async settle() {
        did.push('settle');
      },
    },
  });
  const startRun = createStartRun({
    runs: {
      async insert(run) {
        did.push('insert');
        if (insertFails) throw new Error('no database');
        inserted.push(run);
        return earlier;
      },
      async notePublishFailure(runId, message) {
        did.push('note');
        if (noteFails) throw new Error('no database any more');
        notes.push(`${runId}: ${message}`);
      },
    },
    topics,
    clock: { now: () => T0 },
    nextId: () => ids.shift()!,
    publishEntries,
    planDefaults: { pickUpMs: 60_000 },
  });
  return { startRun, did, inserted, published, removed, notes };
}

describe('startRun', () => {
  it('inserts the PENDING run with its outbox row, publishes, and removes the row', async () => {
    const { startRun, did, inserted, published, removed } = setUp();
    expect(await startRun(command)).toEqual({
      runId: 'run-123e4567-e89b-12d3-a456-426614174000',
      executionId: '123e4567-e89b-12d3-a456-426614174000',
      createdAt: new Date(T0),
    });
    expect(did).toEqual(['insert', 'publish', 'remove']);
    expect(removed).toEqual(['entry-1']);
    expect(inserted).toMatchObject([
      {
        id: '123e4567-e89b-12d3-a456-426614174000',
        runId: 'run-123e4567-e89b-12d3-a456-426614174000',
        workflowId: 'wf-data-pipeline-1',
        workflowName: 'data-pipeline',
        workflowDefinitionId: 'w-1',
        versionId: 'v-1',
        version: 1,
        owner: 'ann',
        triggeredBy: 'bob',
        communityId: 7,
        metadata: { a: 1 },
        createdAt: new Date(T0),
        wakeAt: new Date(T0 + 60_000),
      },
    ]);
    expect(published).toEqual([
      { topic: 'workflow.execution.requests', key: executionRequest.run_id, value: executionRequest },
    ]);
  });

  it('publishes the execution request exactly as the sources show it, its fields in their order', async () => {
    const { startRun, published } = setUp();
    await startRun(command);
    expect(Object.keys(published[0]!.value)).toEqual(Object.keys(executionRequest));
    expect(JSON.parse(JSON.stringify(published[0]!.value))).toEqual(executionRequest);
  });

  it('keeps the plan out of the stored row', async () => {
    const { startRun, inserted } = setUp();
    await startRun(command);
    const [message] = inserted[0]!.request.messages;
    expect(message).toMatchObject({ planOf: 'v-1' });
    expect(message?.value).not.toHaveProperty('workflow_plan');
  });

  it.each([
    ['variables where there is no input', undefined, { v: 1 }, { v: 1 }],
    ['null where there is neither', undefined, undefined, null],
    ['an input of false', false, undefined, false],
  ])('sends %s', async (_, inputData, variables, expected) => {
    const { startRun, published } = setUp();
    await startRun({ ...command, inputData, variables });
    expect(published[0]!.value.input_data).toEqual(expected);
  });

  it('acknowledges a run whose request could not be published, and notes it on the run', async () => {
    const { startRun, did, notes, removed } = setUp({ brokerIsAway: true });
    await expect(startRun(command)).resolves.toMatchObject({ runId: executionRequest.run_id });
    expect(did).toEqual(['insert', 'publish', 'note']);
    expect(removed).toEqual([]);
    expect(notes).toEqual([
      'run-123e4567-e89b-12d3-a456-426614174000: The execution request is not published yet and will be: Kafka did not answer within 1000 ms',
    ]);
  });

  it('acknowledges it also where the note cannot be written', async () => {
    const { startRun } = setUp({ brokerIsAway: true, noteFails: true });
    await expect(startRun(command)).resolves.toMatchObject({ runId: executionRequest.run_id });
  });

  it('I5: publishes nothing where the run could not be inserted', async () => {
    const { startRun, did } = setUp({ insertFails: true });
    await expect(startRun(command)).rejects.toThrow('no database');
    expect(did).toEqual(['insert']);
  });

  it('answers the earlier run of the same idempotency key and request, and publishes nothing', async () => {
    const first = { runId: 'run-1', executionId: '1', createdAt: new Date(1) };
    const withKey = { ...command, idempotencyKey: 'k' };
    const same = setUp({ earlier: { ...first, isSameRequest: true } });
    expect(await same.startRun(withKey)).toEqual({ ...first, isRepeat: true });
    const other = setUp({ earlier: { ...first, isSameRequest: false } });
    await expect(other.startRun(withKey)).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    expect([...same.did, ...other.did]).toEqual(['insert', 'insert']);
  });

  it('claims the key for whoever starts the run, with the same text for the same request', async () => {
    const claimOf = async (given: Partial<StartRunCommand>) => {
      const { startRun, inserted } = setUp();
      await startRun({ ...command, idempotencyKey: 'k', ...given });
      return inserted[0]!.idempotency;
    };
    const request =
      '{"communityId":7,"inputData":{"a":1,"b":{"c":[2,1],"d":3}},"metadata":{"a":1},"workflowId":"w-1"}';
    const claim = { userId: 'bob', key: 'k', request };
    expect(await claimOf({ inputData: { a: 1, b: { c: [2, 1], d: 3 } } })).toEqual(claim);
    expect(await claimOf({ inputData: { b: { d: 3, c: [2, 1] }, a: 1 } })).toEqual(claim);
    expect(await claimOf({ inputData: { a: 1, b: { c: [1, 2], d: 3 } } })).not.toEqual(claim);
    expect(await claimOf({ idempotencyKey: null })).toBeUndefined();
  });
});

describe('withPlans', () => {
  const value = { run_id: 'r', input_data: null, timestamp: 't', message_type: 'execution_request' };
  const asking: OutboxEntry = { id: '1', messages: [{ topic: 't', key: 'r', value, planOf: 'v-1' }] };

  it('puts in the plan with everything that its definition has, as workflow_id and text version name it', () => {
    const full = definitionOf({
      name: 'n',
      description: 'not sent',
      start_step: 'a',
      steps: { a: { agent_name: 'x', retry: [], timeout_seconds: 5 } },
      retry: { max_attempts: 2 },
    });
    const { messages } = withPlans(asking, new Map([['v-1', { definition: full, version: 12 }]]));
    expect(messages[0]).toEqual({
      topic: 't',
      key: 'r',
      value: {
        ...value,
        workflow_plan: {
          workflow_id: 'wf-n-12',
          name: 'n',
          version: '12',
          start_step: 'a',
          steps: {
            a: {
              id: 'a',
              agent_name: 'x',
              next_step: null,
              input_mapping: {},
              retry: [],
              timeout_seconds: 5,
            },
          },
          retry: {
            max_attempts: 2,
            initial_interval_ms: 1_000,
            backoff_rate: 2,
            max_interval_ms: 60_000,
            jitter: 'full',
          },
        },
      },
    });
  });

  it('leaves other messages as they are, and out those whose definition is gone', () => {
    const other = { topic: 't', key: 'k', value: { a: 1 } };
    const entry = { ...asking, messages: [other, ...asking.messages] };
    expect(withPlans(entry, new Map())).toEqual({ id: '1', messages: [other] });
  });

  it('names workflows as the sources do', () => {
    expect(workflowIdOf('data-pipeline', 1)).toBe('wf-data-pipeline-1');
  });
});
