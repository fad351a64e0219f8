import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Outcome } from '../../../shared/application/batch.ts';
import type { EngineEvent } from '../../../shared/engine/event.ts';
import type { Json } from '../../../shared/engine/json.ts';
import { createAgentCalls } from '../../../shared/persistence/agent-calls.ts';
import { auditEntry } from '../../support/audit-entry.ts';
import {
  type EngineHarness,
  type Environment,
  OWNER,
  openEngineHarness,
  type Published,
  sequence,
} from '../../support/engine-harness.ts';
import { type Random, randomFrom } from '../../support/random.ts';

/* What an environment keeps of a run decides nothing against the database: each story is told by one that keeps, and by one that reads. */

let engine: EngineHarness;
/** Keeps what it saved last. */
let keeper: Environment;
/** Reads each time. */
let reader: Environment;
/** The API's, or another that handles records. */
let other: Environment;

beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
  [keeper, reader, other] = [engine.environment(), engine.environment(), engine.environment()];
  reader.warmRuns.keep = () => {};
});
afterAll(() => engine?.close());

interface Row {
  readonly id: string;
  readonly run_id: string;
  readonly step_id: string;
  readonly scope: string;
  readonly status: string;
  readonly due_at: Date | null;
  readonly deadline_at: Date | null;
  readonly signal_name: string | null;
}

const rowsOf = async (runId: string) => (await engine.attemptRows(runId)) as unknown as Row[];
const openOf = async (runId: string) =>
  (await rowsOf(runId)).filter(({ status }) => status === 'PENDING' || status === 'RUNNING');
const attemptAt = async (runId: string, stepId: string) =>
  (await rowsOf(runId)).findLast(({ step_id }) => step_id === stepId)?.id as string;

const answered = (stepExecutionId: string, output: Json): EngineEvent => ({
  type: 'agent_answered',
  stepExecutionId,
  attempt: null,
  logs: null,
  outcome: { status: 'completed', output },
});
const failed = (stepExecutionId: string): EngineEvent => ({
  type: 'agent_answered',
  stepExecutionId,
  attempt: null,
  logs: null,
  outcome: { status: 'failed', error: { code: 'BROKEN', message: 'so it is', retryable: false } },
});
const CANCEL: EngineEvent = { type: 'cancellation_requested', by: 'ann', reason: null };
const signal = (name: string): EngineEvent => ({
  type: 'signal_received',
  name,
  signalId: `of-${name}`,
  payload: { for: name },
});

const TIMES = /(_at|^timestamp|^deadline)$/;
const TOKENS = new Set(['result_token', 'cancellation_token', 'idempotency_key', 'execution_time']);

/** All that is stored and was published of it, without times, and with ids by their order. */
async function toldOf(runId: string) {
  const attempts = await rowsOf(runId);
  const ids = new Map([[runId, 'run'], ...attempts.map(({ id }, i) => [id, `attempt-${i}`] as const)]);
  const plain = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (key, each) => {
        if (TOKENS.has(key)) return undefined;
        if (TIMES.test(key)) return each === null ? null : 'some time';
        return typeof each === 'string' ? (ids.get(each) ?? each) : each;
      }),
    );
  const isOfRun = ({ key, value }: Published) => key === runId || value.run_id === runId;
  const { id: _, ...run } = await engine.runRow(runId);
  const data = await engine.database.many(
    'select scope, variables, error from scope_data where run_id = $1 order by scope',
    [runId],
  );
  return plain({ run, attempts, data, messages: engine.broker.published.filter(isOfRun) });
}

const numbersTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

interface Named {
  readonly name: string;
  readonly start_step?: string | undefined;
  readonly steps: object;
}

/** By name: each is of one version. */
const registered = new Map<string, string>();

async function begun(environment: Environment, definition: Named, input: Json): Promise<string> {
  const { name } = definition;
  const workflowId = registered.get(name) ?? (await engine.registerWorkflow(definition)).workflowId;
  registered.set(name, workflowId);
  const runId = await engine.start(workflowId, { input });
  await environment.decide(runId, { type: 'execution_requested' });
  return runId;
}

const byApi = async (runId: string, event: EngineEvent): Promise<Outcome> =>
  ((await other.processBatch([{ runId, event, audit: auditEntry }])) as [Outcome])[0];

/** A run that `environment` has brought to its step b, whose variables it has set. */
async function atB(environment: Environment): Promise<string> {
  const agent = (id: string, given: object) => ({
    agent_name: `${id}-agent`,
    input_mapping: { set: '$.variables.set', a: '$.a.output_data', given: '$.workflow_input' },
    ...given,
  });
  const steps = {
    a: { agent_name: 'a-agent', assign: { set: '$.output.n' }, next_step: 'b' },
    b: agent('b', { assign: { set: '$.output.n' }, next_step: 'go' }),
    go: { type: 'signal', signal: 'go', next_step: 'c' },
    c: agent('c', {}),
  };
  const runId = await begun(environment, { name: NAME, start_step: 'a', steps }, { n: 0 });
  await environment.decide(runId, answered(await attemptAt(runId, 'a'), { n: 1 }));
  return runId;
}
const NAME = 'kept';

/** What happens between two records of a run that is at b. */
const MEANWHILE: readonly (readonly [what: string, happen: (runId: string) => Promise<unknown>])[] = [
  ['nothing', async () => {}],
  ['a cancel', (runId) => byApi(runId, CANCEL)],
  [
    'a retry of what failed',
    async (runId) => {
      await other.decide(runId, failed(await attemptAt(runId, 'b')));
      await byApi(runId, { type: 'retry_requested' });
    },
  ],
  [
    'a retry of what was cancelled',
    async (runId) => {
      await byApi(runId, CANCEL);
      await byApi(runId, { type: 'retry_requested' });
    },
  ],
  ['a pause', (runId) => byApi(runId, { type: 'pause_requested' })],
  [
    'a pause that is over',
    async (runId) => {
      await byApi(runId, { type: 'pause_requested' });
      await byApi(runId, { type: 'resume_requested' });
    },
  ],
  ['a signal that is waited for later', (runId) => byApi(runId, signal('go'))],
  [
    'a sign of life',
    async (runId) => {
      const calls = createAgentCalls(other.database);
      const stepExecutionId = await attemptAt(runId, 'b');
      await calls.extendDeadlines([{ stepExecutionId, runId, deadlineInMs: 60_000, accepted: true }]);
      await calls.beat(runId, stepExecutionId);
    },
  ],
  [
    'a wake by which its task goes out once more',
    async (runId) => {
      const { id: stepExecutionId, deadline_at } = (await openOf(runId))[0] as Row;
      await other.decide(runId, { type: 'woken', stepExecutionId, at: Number(deadline_at) + 1 });
    },
  ],
  [
    'a wake of the run as its workflow is paused',
    async (runId) => {
      const paused = (at: string) =>
        engine.database.execute(`update workflows set paused_at = ${at} where name = $1 and owner = $2`, [
          NAME,
          OWNER,
        ]);
      await paused('now()');
      await other.decide(runId, { type: 'woken', stepExecutionId: null, at: Date.now() });
      await paused('null');
    },
  ],
  [
    'an answer that another environment handles',
    async (runId) => other.decide(runId, answered(await attemptAt(runId, 'b'), { n: 2 })),
  ],
];

/** The records that come next: what is open is answered, what is closed was repeated or late. */
const RECORDS: readonly (readonly [
  what: string,
  events: (runId: string, b: string) => Promise<EngineEvent[]>,
])[] = [
  ['the answer', async (runId) => [answered(await attemptAt(runId, 'b'), { n: 2 })]],
  [
    'a late one, and the answer',
    async (runId) => [
      answered(await attemptAt(runId, 'a'), { n: 7 }),
      answered(await attemptAt(runId, 'b'), { n: 2 }),
    ],
  ],
  [
    'the answer twice',
    async (runId) => [
      answered(await attemptAt(runId, 'b'), { n: 2 }),
      answered(await attemptAt(runId, 'b'), { n: 3 }),
    ],
  ],
  ['that of the attempt before', async (_runId, b) => [answered(b, { n: 4 })]],
  ['a failure', async (runId) => [failed(await attemptAt(runId, 'b'))]],
  ['a step request that is over', async (_runId, b) => [{ type: 'step_requested', stepExecutionId: b }]],
];

async function tell(
  environment: Environment,
  happen: (runId: string) => Promise<unknown>,
  eventsOf: (runId: string, b: string) => Promise<EngineEvent[]>,
) {
  const runId = await atB(environment);
  const b = await attemptAt(runId, 'b');
  await happen(runId);
  const outcomes: Outcome[] = [];
  for (const event of await eventsOf(runId, b)) outcomes.push(await environment.decide(runId, event));
  // And goes on to its end.
  await byApi(runId, { type: 'resume_requested' });
  await byApi(runId, { type: 'resume_requested', by: 'workflow' });
  for (let i = 0; i < 10; i++) {
    const [open] = await openOf(runId);
    if (open === undefined) break;
    const isAsked = open.status === 'PENDING';
    if (open.signal_name !== null && !isAsked) outcomes.push(await byApi(runId, signal('go')));
    else
      outcomes.push(
        await environment.decide(
          runId,
          isAsked ? { type: 'step_requested', stepExecutionId: open.id } : answered(open.id, { n: 9 }),
        ),
      );
  }
  const { sequence: last, status } = (await engine.runRow(runId)) as { sequence: number; status: string };
  expect(status).not.toBe('RUNNING');
  expect(engine.sequencesOf(runId)).toEqual(numbersTo(last));
  return { outcomes, told: await toldOf(runId) };
}

describe.each(MEANWHILE)('%s between two records', (_what, happen) => {
  it.each(RECORDS)('is seen by %s', async (_record, eventsOf) => {
    const kept = await tell(keeper, happen, eventsOf);
    expect(kept).toEqual(await tell(reader, happen, eventsOf));
  });
});

/** Statements by which an environment reads of runs. */
const readsOf = ({ database }: Environment) =>
  database.recorded.filter(({ sql }) => /load_(runs|attempts|joins|run_data)/.test(sql)).length;

describe('an environment', () => {
  it('reads nothing of a run that it saved last, and reads what another saved since', async () => {
    const runId = await atB(keeper);
    keeper.database.forget();
    await keeper.decide(runId, answered(await attemptAt(runId, 'b'), { n: 2 }));
    const own = readsOf(keeper);
    const another = await atB(keeper);
    await byApi(another, { type: 'pause_requested' });
    keeper.database.forget();
    await keeper.decide(another, answered(await attemptAt(another, 'b'), { n: 2 }));
    // The step that follows takes signals that came, which are never kept.
    expect([own, readsOf(keeper)]).toEqual([2, 2]);
  });

  it('sees the variables and outputs that another has set', async () => {
    const runId = await atB(keeper);
    await other.decide(runId, answered(await attemptAt(runId, 'b'), { n: 'of another' }));
    await byApi(runId, signal('go'));
    const c = await attemptAt(runId, 'c');
    expect(await keeper.decide(runId, answered(c, 'end'))).toEqual({
      outcome: 'decided',
      status: 'COMPLETED',
    });
    expect((await engine.attemptRows(runId)).at(-1)?.input_data).toEqual({
      set: 'of another',
      a: { n: 1 },
      given: { n: 0 },
    });
  });

  it('goes on with the version that a retry has changed to', async () => {
    const { workflowId } = await engine.registerWorkflow(sequence(['a', 'b'], { name: 'changing' }));
    const runId = await engine.start(workflowId, { input: 1 });
    await keeper.decide(runId, { type: 'execution_requested' });
    await keeper.decide(runId, failed(await attemptAt(runId, 'a')));
    const { versionId } = await engine.registerWorkflow(sequence(['a', 'b', 'c'], { name: 'changing' }));
    const version = { versionId, number: 2, workflowId: 'wf-changing-2' };
    await keeper.processBatch([{ runId, event: { type: 'retry_requested' }, version, audit: auditEntry }]);
    const published = engine.broker.published.length;
    for (const { id, status } of await openOf(runId))
      await keeper.decide(
        runId,
        status === 'PENDING' ? { type: 'step_requested', stepExecutionId: id } : answered(id, 1),
      );
    await keeper.decide(runId, answered((await openOf(runId))[0]?.id as string, 1));
    const updates = engine.broker.published
      .slice(published)
      .flatMap(({ value }) => (value.message_type === 'monitoring_update' ? [value.workflow_id] : []));
    expect(new Set(updates)).toEqual(new Set(['wf-changing-2']));
  });

  it('goes through a run of 200 steps at one cost, and keeps little of it', async () => {
    const stepIds = numbersTo(200).map((i) => `s${i}`);
    const runId = await begun(keeper, sequence(stepIds), { n: 1 });
    const readsEach: number[] = [];
    for (const stepId of stepIds.slice(0, -1)) {
      const stepExecutionId = await attemptAt(runId, stepId);
      keeper.database.forget();
      await keeper.decide(runId, answered(stepExecutionId, { by: stepId }));
      readsEach.push(readsOf(keeper));
      const kept = keeper.warmRuns
        .of([{ runId, event: { type: 'step_requested', stepExecutionId } }])
        .get(runId);
      const { attempts, outputs, visits } = kept!.state;
      expect(attempts.size).toBe(1);
      expect(Math.max(outputs.size, visits.size)).toBeLessThanOrEqual(16);
    }
    const total = (some: readonly number[]) => some.reduce((sum, each) => sum + each, 0);
    expect(total(readsEach.slice(100))).toBeLessThanOrEqual(total(readsEach.slice(0, 99)) + 1);
    expect(total(readsEach)).toBeLessThanOrEqual(20);
  });
});

const TANGLED = (() => {
  const agent = (id: string, given: object = {}) => ({
    agent_name: id,
    input_mapping: { given: '$.workflow_input', set: '$.variables' },
    ...given,
  });
  return {
    start_step: 'turn',
    steps: {
      turn: agent('turn', { assign: { turns: '$.output.n' }, next_step: 'enough' }),
      enough: {
        type: 'choice',
        choices: [{ variable: '$.turn.output_data.n', numeric_less_than: 3, next_step: 'turn' }],
        default_next_step: 'both',
      },
      both: {
        type: 'parallel',
        next_step: 'each',
        branches: {
          left: {
            start_step: 'l1',
            steps: { l1: agent('l1', { assign: { l: '$.output' }, next_step: 'l2' }), l2: agent('l2') },
          },
          right: { start_step: 'r1', steps: { r1: agent('r1', { next_step: 'r2' }), r2: agent('r2') } },
        },
      },
      each: {
        type: 'map',
        items: '$.workflow_input',
        start_step: 'work',
        steps: { work: agent('work', { next_step: 'more' }), more: agent('more') },
        next_step: 'end',
      },
      end: agent('end', { assign: { both: '$.both.output_data', each: '$.each.output_data' } }),
    },
  };
})();

/** To its end by records in a random order, some late and some twice; each environment by turns that are drawn. */
async function drive(random: Random, environments: readonly Environment[]) {
  const draw = (count: number) => random.int(count);
  const turn = () => environments[draw(1_000) % environments.length] as Environment;
  const runId = await begun(turn(), { name: 'tangled', ...TANGLED }, ['x', 'y', 'z']);
  const outcomes: Outcome[] = [];
  const closed: string[] = [];
  for (let i = 0; i < 200; i++) {
    const rows = await rowsOf(runId);
    const open = rows
      .filter(
        ({ status, step_id }) =>
          status === 'PENDING' || (status === 'RUNNING' && step_id !== 'both' && step_id !== 'each'),
      )
      .sort((a, b) => (`${a.scope} ${a.step_id}` < `${b.scope} ${b.step_id}` ? -1 : 1));
    const containers = rows.filter(
      ({ status, step_id }) => status === 'RUNNING' && (step_id === 'both' || step_id === 'each'),
    );
    const events: EngineEvent[] = [];
    const chosen = open[draw(1_000) % Math.max(1, open.length)];
    if (chosen === undefined && containers.length === 0) break;
    if (chosen === undefined)
      events.push(
        ...containers.map(({ id }): EngineEvent => ({ type: 'step_requested', stepExecutionId: id })),
      );
    else if (chosen.status === 'PENDING') events.push({ type: 'step_requested', stepExecutionId: chosen.id });
    else {
      const n = rows.filter(({ step_id }) => step_id === 'turn').length;
      events.push(
        answered(chosen.id, chosen.step_id === 'turn' ? { n } : `${chosen.scope} ${chosen.step_id}`),
      );
      closed.push(chosen.id);
    }
    if (random.chance(0.3) && events[0]) events.push(events[0]);
    if (random.chance(0.3) && closed.length > 1)
      events.push(answered(closed[draw(closed.length - 1)] as string, 'late'));
    const environment = turn();
    if (random.chance(0.5)) for (const event of events) outcomes.push(await environment.decide(runId, event));
    else outcomes.push(...(await environment.processBatch(events.map((event) => ({ runId, event })))));
  }
  const told = (await toldOf(runId)) as { attempts: object[]; run: { status: string } };
  expect(told.run.status).toBe('COMPLETED');
  return { outcomes, told };
}

describe('records in any order, over two environments that keep', () => {
  it.each(numbersTo(6))('come to what one that reads comes to: %i', async (seed) => {
    const kept = await drive(randomFrom(seed), [keeper, other]);
    expect(kept).toEqual(await drive(randomFrom(seed), [reader]));
  });
});
