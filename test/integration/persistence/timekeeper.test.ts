import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { fireDueTimes } from '../../../functions/timekeeper/fire-due-times.ts';
import { WAKE_LEASE } from '../../../functions/timekeeper/lease.ts';
import { Pace } from '../../../functions/timekeeper/pace.ts';
import { publishLeftBehind } from '../../../functions/timekeeper/publish-left-behind.ts';
import type { AgentRegistry } from '../../../shared/application/ports/agents.ts';
import type { Delivery } from '../../../shared/application/ports/publishing.ts';
import { PublishError } from '../../../shared/kafka/producer.ts';
import { claimDueTimes, createDueTimes } from '../../../shared/persistence/due-times.ts';
import { claimLeftBehind, createOutbox } from '../../../shared/persistence/outbox.ts';
import {
  type EngineHarness,
  type Environment,
  OWNER,
  openEngineHarness,
  type Published,
  sequence,
  topics,
} from '../../support/engine-harness.ts';

let engine: EngineHarness;
let other: Environment;
beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
  other = engine.environment();
});
afterAll(() => engine?.close());
beforeEach(async () => {
  await engine.database.execute(`update workflow_runs set wake_at = null`);
  await engine.database.execute(`update step_executions set wake_at = null`);
  await engine.database.execute('delete from outbox');
});

/** Nobody can tell how far the topics are read: all that is due fires. */
const readProgress = async () => null;
const claiming = { lease: WAKE_LEASE, pickUpMs: 60_000 };

const ACKNOWLEDGED: Delivery = { status: 'acknowledged' };
const UNSENT: Delivery = { status: 'unsent', reason: 'Kafka was not reached: KafkaJSConnectionError' };
const UNKNOWN: Delivery = { status: 'unknown', reason: 'Kafka did not answer within 1000 ms' };
const refusal = (code: string): Delivery => ({
  status: 'refused',
  reason: `Kafka refused: ${code}`,
  code,
  isLasting: code !== 'NOT_ENOUGH_REPLICAS',
});
const NO_TOPIC = refusal('UNKNOWN_TOPIC_OR_PARTITION');

/** A timekeeper whose broker refuses what `refuses` says, or does with it what that says. */
function timekeeper(
  refuses: (message: Published) => boolean | Delivery = () => false,
  { database, routeTasks } = engine as Environment,
) {
  const published: Published[] = [];
  const time = { now: 0, refusalMs: 0 };
  const late = { told: null as Promise<readonly Delivery[]> | null };
  const deliver = (message: Published): Delivery => {
    const what = refuses(message);
    return typeof what === 'object' ? what : what ? NO_TOPIC : ACKNOWLEDGED;
  };
  const send = async (messages: readonly Published[]) => {
    const deliveries = messages.map(deliver);
    published.push(...messages.filter((_, i) => deliveries[i] === ACKNOWLEDGED));
    if (deliveries.some((delivery) => delivery !== ACKNOWLEDGED)) time.now += time.refusalMs;
    return { deliveries, late: late.told };
  };
  const producer = {
    send,
    async publish(messages: readonly Published[]) {
      const { deliveries } = await send(messages);
      if (deliveries.some((delivery) => delivery !== ACKNOWLEDGED)) throw new PublishError('Kafka refused');
    },
  };
  const clock = () => time.now;
  const deps = {
    database,
    dueTimes: createDueTimes(database),
    producer,
    routeTasks,
    topics,
    readProgress,
    pace: new Pace(),
    clock,
  };
  return { deps, published, time, late };
}

/** A timekeeper whose broker does not answer until it is told to, and how. */
function hangingTimekeeper({ database, routeTasks } = engine as Environment) {
  const reached = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  // Awaited where it is of interest.
  answer.promise.catch(() => {});
  const publish = () => {
    reached.resolve();
    return answer.promise;
  };
  const send = async (messages: readonly Published[]) => {
    const delivery = await publish().then(
      () => ACKNOWLEDGED,
      () => UNSENT,
    );
    return { deliveries: messages.map(() => delivery), late: null };
  };
  const clock = () => 0;
  const producer = { publish, send };
  const deps = {
    database,
    dueTimes: createDueTimes(database),
    producer,
    routeTasks,
    topics,
    readProgress,
    pace: new Pace(),
    clock,
  };
  return { deps, isPublishing: reached.promise, answer };
}

async function pendingRun(): Promise<string> {
  const { workflowId } = await engine.registerWorkflow(sequence(['a']));
  return engine.start(workflowId);
}

const wakeIn = (table: string, runId: string, seconds: number) =>
  engine.database.execute(
    `update ${table} set wake_at = now() + $2 * interval '1 second' where run_id = $1`,
    [runId, seconds],
  );

/** Seconds from the database's now. */
async function wakesOf(table: string, runId: string): Promise<(number | null)[]> {
  const rows = await engine.database.many<{ s: number | null }>(
    `select extract(epoch from wake_at - now())::float8 as s from ${table} where run_id = $1 order by created_at`,
    [runId],
  );
  return rows.map(({ s }) => s);
}

/** Time passes: every lease is over. */
async function leasesEnd(): Promise<void> {
  for (const table of ['workflow_runs', 'step_executions'])
    await engine.database.execute(
      `update ${table} set leased_until = now() - interval '1 second', wake_at = now() - interval '1 second'
        where wake_at = leased_until`,
    );
}

describe('due times', () => {
  it('are the times of open runs and attempts that have come; each is pushed on by the lease', async () => {
    const [due, notYet] = [await pendingRun(), await pendingRun()];
    await wakeIn('workflow_runs', due, -1);
    await wakeIn('workflow_runs', notYet, 5);
    const started = await pendingRun();
    await engine.decide(started, { type: 'execution_requested' });
    await wakeIn('step_executions', started, -1);
    const stepExecutionId = await engine.openAttempt(started);

    const { deps, published } = timekeeper();
    expect(await fireDueTimes(deps)).toBe(2);
    const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(published).toEqual([
      {
        topic: topics.stepRequests,
        key: started,
        value: { message_type: 'wake', run_id: started, step_execution_id: stepExecutionId, timestamp },
      },
      {
        topic: topics.stepRequests,
        key: due,
        value: { message_type: 'wake', run_id: due, step_execution_id: null, timestamp },
      },
    ]);
    const [lease] = await wakesOf('workflow_runs', due);
    expect(lease).toBeGreaterThan(10);
    expect(lease).toBeLessThanOrEqual(60);
    expect(await fireDueTimes(deps)).toBe(0);
  });

  it('of closed runs and attempts are nobody’s', async () => {
    const runId = await pendingRun();
    await engine.decide(runId, { type: 'execution_requested' });
    await engine.answer(runId, { status: 'completed', output: 1 });
    await wakeIn('workflow_runs', runId, -1);
    await wakeIn('step_executions', runId, -1);
    expect(await fireDueTimes(timekeeper().deps)).toBe(0);
  });

  it('are claimed once by two timekeepers at once: neither waits for the other', async () => {
    const runIds = await Promise.all(Array.from({ length: 10 }, pendingRun));
    for (const runId of runIds) await wakeIn('workflow_runs', runId, -1);
    const options = { limit: 6, ...claiming };
    await engine.database.transaction(async (mine) => {
      const first = await claimDueTimes(mine, options);
      const second = await other.database.transaction((theirs) => claimDueTimes(theirs, options));
      expect([first.taken, second.taken]).toEqual([6, 4]);
      expect(new Set([...first.due, ...second.due].map(({ runId }) => runId)).size).toBe(10);
    });
  });

  it('are claimed oldest first', async () => {
    const [later, earlier] = [await pendingRun(), await pendingRun()];
    await wakeIn('workflow_runs', later, -1);
    await wakeIn('workflow_runs', earlier, -60);
    const { due } = await engine.database.transaction((statements) =>
      claimDueTimes(statements, { limit: 1, ...claiming }),
    );
    expect(due.map(({ runId }) => runId)).toEqual([earlier]);
  });

  it('are nobody else’s, and locked for nobody, while their wakes are published', async () => {
    const runId = await pendingRun();
    await wakeIn('workflow_runs', runId, -1);
    const { deps, isPublishing, answer } = hangingTimekeeper(other);
    const firing = fireDueTimes(deps);
    await isPublishing;
    const second = timekeeper();
    expect(await fireDueTimes(second.deps)).toBe(0);
    expect(second.published).toEqual([]);
    await engine.database.transaction((statements) =>
      statements.one('select 1 as one from workflow_runs where run_id = $1 for update nowait', [runId]),
    );
    answer.resolve();
    expect(await firing).toBe(1);
  });

  it('are due again at once where their wakes may not have been published, however long Kafka is away', async () => {
    const [run, started] = [await pendingRun(), await pendingRun()];
    await engine.decide(started, { type: 'execution_requested' });
    await wakeIn('workflow_runs', run, -90);
    await wakeIn('step_executions', started, -90);
    for (let look = 0; look < 5; look++) {
      await expect(fireDueTimes(timekeeper(() => true).deps)).rejects.toThrow('Kafka refused');
    }
    const { deps, published } = timekeeper();
    await fireDueTimes(deps);
    expect(published.map(({ key }) => key).sort()).toEqual([run, started].sort());
    // The lease that a first wake has.
    expect(await wakesOf('workflow_runs', run)).toEqual([expect.closeTo(60, -1)]);
    await leasesEnd();
    await expect(fireDueTimes(timekeeper(() => true).deps)).rejects.toThrow('Kafka refused');
    await fireDueTimes(timekeeper().deps);
    expect(await wakesOf('workflow_runs', run)).toEqual([expect.closeTo(120, -1)]);
  });

  it('are tried one by one while Kafka does not answer: what it may have taken for all that is little', async () => {
    const runIds = await Promise.all(Array.from({ length: 20 }, () => pendingRun()));
    for (const runId of runIds) await wakeIn('workflow_runs', runId, -1);
    const { deps, published } = timekeeper();
    let isAway = true;
    let tried: Published[] = [];
    const producer = {
      ...deps.producer,
      async publish(messages: readonly Published[]) {
        tried = [...tried, ...messages];
        if (isAway) throw new PublishError('Kafka did not answer');
        published.push(...messages);
      },
    };
    const look = () => fireDueTimes({ ...deps, producer });
    await expect(look()).rejects.toThrow('Kafka did not answer');
    expect(tried).toHaveLength(20);
    tried = [];
    for (let i = 0; i < 5; i++) await expect(look()).rejects.toThrow('Kafka did not answer');
    // One that is refused again and again is not all that is ever tried.
    expect(new Set(tried.map(({ key }) => key)).size).toBe(5);
    expect(tried).toHaveLength(5);
    isAway = false;
    expect(await look()).toBe(20);
    expect(published.map(({ key }) => key).sort()).toEqual([...runIds].sort());
  });

  it('that a decision has changed meanwhile stay as it left them', async () => {
    const runId = await pendingRun();
    await wakeIn('workflow_runs', runId, -1);
    const { deps, isPublishing, answer } = hangingTimekeeper(other);
    const firing = fireDueTimes(deps);
    await isPublishing;
    await engine.decide(runId, { type: 'execution_requested' });
    const decided = await engine.runRow(runId);
    expect(decided.status).toBe('RUNNING');
    answer.reject(new PublishError('Kafka did not answer'));
    await expect(firing).rejects.toThrow('Kafka did not answer');
    expect((await engine.runRow(runId)).wake_at).toEqual(decided.wake_at);
  });

  it('of a timekeeper that died before it published them are due after their lease', async () => {
    const runId = await pendingRun();
    await wakeIn('workflow_runs', runId, -1);
    await engine.database.transaction((statements) => claimDueTimes(statements, { limit: 10, ...claiming }));
    expect(await fireDueTimes(timekeeper().deps)).toBe(0);
    await leasesEnd();
    expect(await fireDueTimes(timekeeper().deps)).toBe(1);
  });

  it('more than one claim holds are all fired', async () => {
    await engine.database.execute(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, status, wake_at)
       select 'many-' || n, 'w', 'w', 'PENDING', now() - interval '1 second' from generate_series(1, 1100) n`,
    );
    expect(await fireDueTimes(timekeeper().deps)).toBe(1_100);
    await engine.database.execute(`delete from workflow_runs where run_id like 'many-%'`);
  });

  it('I7: a run whose request nobody read begins by its wake; the request that comes after is a repeat', async () => {
    const runId = await pendingRun();
    await wakeIn('workflow_runs', runId, -1);
    const { deps, published } = timekeeper();
    await fireDueTimes(deps);
    const at = Date.parse(published[0]?.value.timestamp as string);
    expect(await engine.decide(runId, { type: 'woken', stepExecutionId: null, at })).toMatchObject({
      outcome: 'decided',
    });
    expect(await engine.decide(runId, { type: 'execution_requested' })).toEqual({
      outcome: 'refused',
      code: 'ALREADY_STARTED',
    });
  });

  describe('of a paused run', () => {
    const paused = { type: 'pause_requested' } as const;
    const resumed = { type: 'resume_requested' } as const;
    const waits = (seconds: number) => ({
      ...sequence(['a']),
      timeout_seconds: 3_600,
      steps: { a: { type: 'wait', seconds } },
    });
    /** Its step waits, its own time has a limit. */
    async function pausedRun(seconds: number): Promise<string> {
      const { workflowId } = await engine.registerWorkflow(waits(seconds));
      const runId = await engine.start(workflowId);
      await engine.decide(runId, { type: 'execution_requested' });
      await engine.decide(runId, paused);
      return runId;
    }
    const past = `now() - interval '1 second'`;
    const fallsDue = async (runId: string) => {
      await engine.database.execute(
        `update step_executions set due_at = ${past}, wake_at = ${past} where run_id = $1`,
        [runId],
      );
      await engine.database.execute(
        `update workflow_runs set timeout_at = ${past}, wake_at = ${past} where run_id = $1`,
        [runId],
      );
    };
    const wakes = async (runId: string) => [
      ...(await wakesOf('workflow_runs', runId)),
      ...(await wakesOf('step_executions', runId)),
    ];

    it('are taken once and fire no more, until it is resumed: then they are due', async () => {
      const runId = await pausedRun(600);
      const other = await pendingRun();
      await fallsDue(runId);
      await wakeIn('workflow_runs', other, -1);
      const { deps, published } = timekeeper();
      expect(await fireDueTimes(deps)).toBe(1);
      expect(published.map(({ key }) => key)).toEqual([other]);
      expect(await wakes(runId)).toEqual([null, null]);

      await engine.decide(runId, resumed);
      for (const wake of await wakes(runId)) expect(wake).toBeLessThanOrEqual(0);
      expect(await fireDueTimes(deps)).toBe(2);
    });

    it('that are not due yet stay, and so does one that its resume takes for early', async () => {
      const runId = await pausedRun(600);
      const before = await wakes(runId);
      expect(await fireDueTimes(timekeeper().deps)).toBe(0);
      // By the clock of the environment that resumes it the time has not come.
      await wakeIn('step_executions', runId, -1);
      await fireDueTimes(timekeeper().deps);
      expect((await wakes(runId))[1]).toBeNull();
      await engine.decide(runId, resumed);
      const after = await wakes(runId);
      expect(after[0]).toBeCloseTo(before[0] as number, -1);
      expect(after[1]).toBeCloseTo(600, -1);
    });

    it('are pushed on where it may be being resumed: none is lost', async () => {
      const runId = await pausedRun(600);
      await fallsDue(runId);
      await wakeIn('workflow_runs', runId, 100);
      const { deps, published } = timekeeper();
      await other.database.transaction(async (resuming) => {
        await resuming.execute('update workflow_runs set paused_at = null where run_id = $1', [runId]);
        expect(await fireDueTimes(deps)).toBe(1);
      });
      expect(published.map(({ key }) => key)).toEqual([runId]);
      expect((await wakes(runId))[1]).toBeGreaterThan(10);
    });

    it('are all taken, however many', async () => {
      await engine.database.execute(
        `insert into workflow_runs (run_id, workflow_id, workflow_name, status, paused_at, wake_at)
         select 'held-' || n, 'w', 'w', 'PENDING', now(), ${past} from generate_series(1, 700) n`,
      );
      const runId = await pendingRun();
      await wakeIn('workflow_runs', runId, -0.5);
      const { deps, published } = timekeeper();
      expect(await fireDueTimes(deps)).toBe(1);
      expect(published.map(({ key }) => key)).toEqual([runId]);
      const { count } = await engine.database.one<{ count: number }>(
        `select count(*) from workflow_runs where run_id like 'held-%' and wake_at is not null`,
      );
      expect(count).toBe(0);
      await engine.database.execute(`delete from workflow_runs where run_id like 'held-%'`);
    });
  });

  it('by the database’s clock a retry is due when it is claimed', async () => {
    const runId = await pendingRun();
    await engine.decide(runId, { type: 'execution_requested' });
    engine.clockOffsetMs = -10_000;
    await engine.answer(runId, {
      status: 'failed',
      error: { code: 'BUSY', message: 'later', retryable: true },
    });
    engine.clockOffsetMs = 0;
    const { deps, published } = timekeeper();
    await fireDueTimes(deps);
    const wake = published[0]!.value;
    const outcome = await engine.decide(runId, {
      type: 'woken',
      stepExecutionId: wake.step_execution_id as string,
      at: Date.parse(wake.timestamp as string),
    });
    expect(outcome).toEqual({ outcome: 'decided', status: 'RUNNING' });
  });
});

describe('what invocations left behind', () => {
  const age = (seconds = 60) =>
    engine.database.execute(`update outbox set created_at = created_at - $1 * interval '1 second'`, [
      seconds,
    ]);
  const outboxRows = async () =>
    (await engine.database.one<{ count: number }>('select count(*) from outbox')).count;

  /** @returns runs that the broker was not told of. */
  async function unpublishedRuns(count: number): Promise<string[]> {
    engine.broker.isAway = true;
    try {
      const runIds: string[] = [];
      for (let i = 0; i < count; i++) runIds.push(await pendingRun());
      return runIds;
    } finally {
      engine.broker.isAway = false;
    }
  }

  it('I5: is published in order, with the plans put in, and removed; the run says why it waits', async () => {
    const runIds = await unpublishedRuns(2);
    expect(await engine.runRow(runIds[0]!)).toMatchObject({
      status: 'PENDING',
      error_message:
        'The execution request is not published yet and will be: Kafka did not answer within 1000 ms',
    });
    await age();
    const { deps, published } = timekeeper();
    expect(await publishLeftBehind(deps)).toBe(2);
    expect(published).toMatchObject(
      runIds.map((runId) => ({
        topic: topics.executionRequests,
        key: runId,
        value: { run_id: runId, message_type: 'execution_request', workflow_plan: { start_step: 'a' } },
      })),
    );
    expect(await outboxRows()).toBe(0);
    await engine.decide(runIds[0]!, { type: 'execution_requested' });
    expect(await engine.runRow(runIds[0]!)).toMatchObject({ status: 'RUNNING', error_message: null });
  });

  describe('of tasks', () => {
    const KAFKA = { kind: 'kafka', address: 'agent.theirs', timeoutSeconds: null } as const;
    const tasksOf = (published: readonly Published[]) =>
      published.flatMap(({ topic, value }) =>
        value.message_type === 'agent_task' ? [[topic, value.agent_name]] : [],
      );

    /** A run whose first task the broker was not told of. @returns the task's agent. */
    async function unpublishedTask(environment: Environment = engine): Promise<string> {
      const agent = `agent-${randomUUID()}`;
      const { workflowId } = await engine.registerWorkflow({
        ...sequence(['a']),
        steps: { a: { agent_name: agent } },
      });
      const runId = await engine.start(workflowId);
      engine.broker.isAway = true;
      await environment.decide(runId, { type: 'execution_requested' });
      engine.broker.isAway = false;
      await age();
      return agent;
    }

    it('goes to the agent’s own topic, by where it is registered by then', async () => {
      const agent = await unpublishedTask();
      await engine.database.execute(
        `insert into agents (id, owner, name, kind, address)
         values (gen_random_uuid(), null, $1, 'http', 'https://x'), (gen_random_uuid(), $2, $1, 'kafka', 'agent.mine')`,
        [agent, OWNER],
      );
      const { deps, published } = timekeeper();
      expect(await publishLeftBehind(deps)).toBe(1);
      expect(tasksOf(published)).toEqual([['agent.mine', agent]]);
    });

    it('goes where the registry says, which is asked once for all; of whom it does not tell, to the HTTP bridge', async () => {
      const known = new Map<string, typeof KAFKA>();
      const lookUps: (readonly string[])[] = [];
      const registry: AgentRegistry = {
        known: (name) => known.get(name),
        async lookUp(names) {
          lookUps.push(names);
          for (const name of names.slice(1)) known.set(name, KAFKA);
        },
      };
      const { routeTasks } = engine.environment({ registry });
      const agents = [await unpublishedTask(), await unpublishedTask()];
      const { deps, published } = timekeeper(() => false, { ...engine, routeTasks });
      expect(await publishLeftBehind(deps)).toBe(2);
      expect(lookUps).toEqual([agents]);
      expect(tasksOf(published)).toEqual([
        [KAFKA.address, agents[1]],
        [topics.httpTasks, agents[0]],
      ]);
    });

    /** A run whose agent reads a topic that is not there. @returns the agent, the run and its attempt. */
    async function taskWithoutTopic(address = 'agent.gone') {
      const agent = await unpublishedTask();
      await engine.database.execute(
        `insert into agents (id, owner, name, kind, address) values (gen_random_uuid(), null, $1, 'kafka', $2)`,
        [agent, address],
      );
      const [attempt] = (await engine.database.many<{ run_id: string; id: string }>(
        `select run_id, step_execution_id as id from step_executions where agent_name = $1`,
        [agent],
      )) as [{ run_id: string; id: string }];
      return { agent, runId: attempt.run_id, attemptId: attempt.id };
    }
    /** Old it is in any case, as after an hour without a broker. */
    const isRefusedFor = (seconds: number | null) =>
      engine.database.execute(
        `update outbox set created_at = now() - interval '1 hour', retry_at = null,
           refused_since = now() - $1::float8 * interval '1 second'`,
        [seconds],
      );

    it('whose agent’s topic is not there yet waits, and its attempt says for what; then it goes there', async () => {
      const { agent, runId } = await taskWithoutTopic();
      await isRefusedFor(null);
      const missing = timekeeper(({ topic }) => topic === 'agent.gone');
      await expect(publishLeftBehind(missing.deps)).rejects.toThrow(
        'Kafka refused: UNKNOWN_TOPIC_OR_PARTITION (topic "agent.gone")',
      );
      expect(await engine.attemptRows(runId)).toMatchObject([
        {
          status: 'RUNNING',
          error_code: null,
          error_message: `The task is not published yet and will be: the topic "agent.gone", from which agent "${agent}" takes its tasks, does not exist`,
        },
      ]);
      await engine.database.execute(`update outbox set retry_at = null`);
      const { deps, published } = timekeeper();
      expect(await publishLeftBehind(deps)).toBe(1);
      expect(tasksOf(published)).toEqual([['agent.gone', agent]]);
      expect(await engine.attemptRows(runId)).toMatchObject([{ status: 'RUNNING', error_message: null }]);
    });

    it.each([
      [
        'UNKNOWN_TOPIC_OR_PARTITION',
        'AGENT_TOPIC_NOT_FOUND',
        (agent: string) =>
          `The topic "agent.gone", from which agent "${agent}" takes its tasks, does not exist. It was waited for 30 s.`,
      ],
      [
        'MESSAGE_TOO_LARGE',
        'AGENT_TOPIC_REFUSED',
        (agent: string) =>
          `The topic "agent.gone", from which agent "${agent}" takes its tasks, refuses this one with MESSAGE_TOO_LARGE. It was waited for 30 s.`,
      ],
    ])(
      'that its agent’s topic refuses for its time with %s ends its attempt with %s',
      async (code, ends, message) => {
        const { agent, runId, attemptId } = await taskWithoutTopic();
        await isRefusedFor(40);
        const { deps, published } = timekeeper(({ topic }) => topic === 'agent.gone' && refusal(code));
        await expect(publishLeftBehind(deps)).rejects.toThrow(`Kafka refused: ${code}`);
        const answers = published.filter(({ topic }) => topic === topics.results);
        expect(answers).toEqual([
          {
            topic: topics.results,
            key: runId,
            value: {
              message_type: 'agent_result',
              run_id: runId,
              step_execution_id: attemptId,
              attempt: 1,
              status: 'failed',
              error: { code: ends, message: message(agent), retryable: false },
              result_token: `token-of-${attemptId}`,
              timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
            },
          },
        ]);
        expect(await outboxRows()).toBe(0);
      },
    );

    it('waits for its agent’s topic to the end of its time, not to that of an interval', async () => {
      await taskWithoutTopic();
      await isRefusedFor(25);
      await expect(publishLeftBehind(timekeeper(({ topic }) => topic === 'agent.gone').deps)).rejects.toThrow(
        'Kafka refused',
      );
      const [{ s }] = (await engine.database.many<{ s: number }>(
        'select extract(epoch from retry_at - now())::float8 as s from outbox',
      )) as [{ s: number }];
      expect(s).toBeLessThanOrEqual(5);
    });

    it('that its agent’s topic refuses for a trouble of the cluster waits on', async () => {
      await taskWithoutTopic();
      await isRefusedFor(86_400);
      const { deps, published } = timekeeper(
        ({ topic }) => topic === 'agent.gone' && refusal('NOT_ENOUGH_REPLICAS'),
      );
      await expect(publishLeftBehind(deps)).rejects.toThrow('Kafka refused: NOT_ENOUGH_REPLICAS');
      expect(published.filter(({ topic }) => topic === topics.results)).toEqual([]);
      expect(await engine.database.many('select refused_since from outbox')).toEqual([
        { refused_since: null },
      ]);
    });

    it('of an agent that is called by us is no task of a topic of its own: it stays', async () => {
      const agent = await unpublishedTask();
      await isRefusedFor(86_400);
      const { deps, published } = timekeeper(({ topic }) => topic === topics.httpTasks);
      await expect(publishLeftBehind(deps)).rejects.toThrow('Kafka refused');
      expect(published.filter(({ topic }) => topic === topics.results)).toEqual([]);
      expect(await outboxRows()).toBe(1);
      expect(tasksOf(published)).toEqual([]);
      expect(agent).toMatch(/^agent-/);
    });

    it('of an attempt that was closed meanwhile is dropped: it is not sent when its topic is made', async () => {
      const { runId } = await taskWithoutTopic();
      await engine.decide(runId, { type: 'cancellation_requested', by: null, reason: null });
      await isRefusedFor(40);
      const { deps, published } = timekeeper();
      await publishLeftBehind(deps);
      expect(tasksOf(published)).toEqual([]);
      expect(published.some(({ topic }) => topic === topics.monitoringUpdates)).toBe(true);
      expect(await outboxRows()).toBe(0);
    });

    it('goes where a version that put the topic in sent it', async () => {
      const agent = await unpublishedTask();
      await engine.database.execute(
        `update outbox set messages = (
           select json_agg((message::jsonb - 'taskOf') || case when message->'taskOf' is null then '{}' else '{"topic": "agent.before"}' end::jsonb)
             from json_array_elements(messages) as message)`,
      );
      const { deps, published } = timekeeper();
      expect(await publishLeftBehind(deps)).toBe(1);
      expect(tasksOf(published)).toEqual([['agent.before', agent]]);
    });
  });

  it('is left to the invocation that is about to publish it', async () => {
    await unpublishedRuns(1);
    await age(3);
    expect(await publishLeftBehind(timekeeper().deps)).toBe(0);
    expect(await outboxRows()).toBe(1);
  });

  it('is left to the invocation that is about to publish it also where that waited for its run', async () => {
    const runId = await pendingRun();
    const waiting = await other.database.transaction(async (statements) => {
      await statements.one('select 1 as one from workflow_runs where run_id = $1 for update', [runId]);
      engine.broker.isAway = true;
      const decided = engine.decide(runId, { type: 'execution_requested' });
      await sleep(1_500);
      return { decided };
    });
    await waiting.decided;
    engine.broker.isAway = false;
    const options = { olderThanMs: 1_000, limit: 3, maxBytes: 1_000_000, leaseMs: 60_000 };
    expect(await claimLeftBehind(engine.database, options)).toHaveLength(0);
    expect(await outboxRows()).toBe(1);
  });

  it('is claimed once by two timekeepers at once: neither waits for the other', async () => {
    await unpublishedRuns(5);
    await age();
    const options = { olderThanMs: 3_000, limit: 3, maxBytes: 1_000_000, leaseMs: 60_000 };
    await engine.database.transaction(async (mine) => {
      const first = await claimLeftBehind(mine, options);
      const second = await other.database.transaction((theirs) => claimLeftBehind(theirs, options));
      expect([first.length, second.length]).toEqual([3, 2]);
    });
  });

  it('is nobody else’s, and locked for nobody, while it is published', async () => {
    await unpublishedRuns(2);
    await age();
    const { deps, isPublishing, answer } = hangingTimekeeper(other);
    const publishing = publishLeftBehind(deps);
    await isPublishing;
    const second = timekeeper();
    expect(await publishLeftBehind(second.deps)).toBe(0);
    expect(second.published).toEqual([]);
    const rows = await engine.database.transaction((statements) =>
      statements.many('select id from outbox for update nowait'),
    );
    expect(rows).toHaveLength(2);
    answer.resolve();
    expect(await publishing).toBe(2);
    expect(await outboxRows()).toBe(0);
  });

  it('is another’s at once where it was not sent, and after the lease where its timekeeper died', async () => {
    await unpublishedRuns(2);
    await age();
    const { deps, isPublishing, answer } = hangingTimekeeper(other);
    const publishing = publishLeftBehind(deps);
    await isPublishing;
    answer.reject(new PublishError('Kafka did not answer'));
    await expect(publishing).rejects.toThrow('Kafka was not reached');

    const options = { olderThanMs: 3_000, limit: 10, maxBytes: 1_000_000, leaseMs: 60_000 };
    expect(await claimLeftBehind(engine.database, options)).toHaveLength(2);
    expect(await publishLeftBehind(timekeeper().deps)).toBe(0);
    await engine.database.execute(`update outbox set retry_at = retry_at - interval '1 minute'`);
    expect(await publishLeftBehind(timekeeper().deps)).toBe(2);
  });

  it('stays as it is while the broker is away', async () => {
    await unpublishedRuns(3);
    await age();
    await expect(publishLeftBehind(timekeeper(() => UNSENT).deps)).rejects.toThrow('Kafka was not reached');
    expect(await publishLeftBehind(timekeeper().deps)).toBe(3);
  });

  /** One row of what several runs have to publish. @returns the runs. */
  async function unpublishedTogether(count: number): Promise<string[]> {
    const runIds = await unpublishedRuns(count);
    await engine.database.execute(
      `update outbox set messages = (
         select json_agg(message order by each.id) from outbox as each, json_array_elements(each.messages) as message)
        where id = (select min(id::text)::uuid from outbox)`,
    );
    await engine.database.execute('delete from outbox where json_array_length(messages) = 1');
    await age();
    return runIds;
  }
  const secondsToRetry = async () => {
    const rows = await engine.database.many<{ s: number | null }>(
      'select extract(epoch from retry_at - now())::float8 as s from outbox order by id',
    );
    return rows.map(({ s }) => s);
  };
  const isOver = () =>
    engine.database.execute(`update outbox set retry_at = retry_at - interval '2 minutes'`);

  it('is published but for the message that Kafka refuses, which alone is tried again later', async () => {
    const [one, two] = (await unpublishedTogether(2)) as [string, string];
    const refusing = timekeeper(({ key }) => key === one);
    await expect(publishLeftBehind(refusing.deps)).rejects.toThrow(
      'Kafka refused: UNKNOWN_TOPIC_OR_PARTITION',
    );
    expect(refusing.published.map(({ key }) => key)).toEqual([two]);

    const { deps, published } = timekeeper();
    expect(await publishLeftBehind(deps)).toBe(0);
    await isOver();
    expect(await publishLeftBehind(deps)).toBe(1);
    expect(published).toMatchObject([{ key: one, value: { workflow_plan: { start_step: 'a' } } }]);
    expect(await outboxRows()).toBe(0);
  });

  it('is not published again where an invocation had a part of it acknowledged', async () => {
    const [one, two, three] = (await unpublishedTogether(3)) as [string, string, string];
    const [{ id }] = (await engine.database.many<{ id: string }>('select id from outbox')) as [
      { id: string },
    ];
    // By two who know of different parts, in any order, and more than once.
    const outbox = createOutbox(engine.database);
    await outbox.settle([{ id, published: '001', retryInMs: null, isRefused: null }]);
    await outbox.settle([{ id, published: '100', retryInMs: null, isRefused: null }]);
    await outbox.settle([{ id, published: '001', retryInMs: null, isRefused: null }]);
    const { deps, published } = timekeeper();
    expect(await publishLeftBehind(deps)).toBe(1);
    expect(published.map(({ key }) => key)).toEqual([two]);
    expect([one, three]).not.toContain(two);
  });

  it('goes when the last part of it is known to be published; what is known of other messages counts for nothing', async () => {
    await unpublishedTogether(2);
    const [{ id }] = (await engine.database.many<{ id: string }>('select id from outbox')) as [
      { id: string },
    ];
    const outbox = createOutbox(engine.database);
    await outbox.settle([{ id, published: '1', retryInMs: null, isRefused: null }]);
    await outbox.settle([{ id, published: '111', retryInMs: null, isRefused: null }]);
    await outbox.settle([{ id, published: '01', retryInMs: null, isRefused: null }]);
    // As the release before shrinks a row.
    await engine.database.execute('update outbox set messages = json_build_array(messages->0)');
    const { deps, published } = timekeeper();
    expect(await publishLeftBehind(deps)).toBe(1);
    expect(published).toHaveLength(1);

    await unpublishedTogether(2);
    const [next] = (await engine.database.many<{ id: string }>('select id from outbox')) as [{ id: string }];
    await outbox.settle([{ id: next.id, published: '01', retryInMs: null, isRefused: null }]);
    await outbox.settle([{ id: next.id, published: '10', retryInMs: null, isRefused: null }]);
    expect(await outboxRows()).toBe(0);
  });

  it('without an answer is unknown: it comes again after its time, the later the longer it has waited', async () => {
    await unpublishedRuns(2);
    await engine.database.execute(
      `update outbox set created_at = now() - interval '40 seconds' where id = (select min(id::text)::uuid from outbox)`,
    );
    await engine.database.execute(
      `update outbox set created_at = now() - interval '5 seconds' where id = (select max(id::text)::uuid from outbox)`,
    );
    const silent = timekeeper(() => UNKNOWN);
    await expect(publishLeftBehind(silent.deps)).rejects.toThrow('Kafka did not answer within 1000 ms');
    const [longer, soon] = (await secondsToRetry()) as [number, number];
    expect(longer).toBeGreaterThan(30);
    expect(longer).toBeLessThan(60);
    expect(soon).toBeGreaterThan(10);
    expect(soon).toBeLessThanOrEqual(15);
    expect(await publishLeftBehind(timekeeper().deps)).toBe(0);
    await isOver();
    expect(await publishLeftBehind(timekeeper().deps)).toBe(2);
  });

  it('without an answer is taken as published when the answer comes late', async () => {
    const [, two] = (await unpublishedTogether(2)) as [string, string];
    const told = Promise.withResolvers<readonly Delivery[]>();
    const silent = timekeeper(() => UNKNOWN);
    silent.late.told = told.promise;
    await expect(publishLeftBehind(silent.deps)).rejects.toThrow('Kafka did not answer');
    told.resolve([ACKNOWLEDGED, UNKNOWN]);
    await expect
      .poll(() => engine.database.many('select published::text from outbox'))
      .toEqual([{ published: '10' }]);
    // Its time is what it was.
    expect((await secondsToRetry())[0]).toBeGreaterThan(10);
    await isOver();
    const { deps, published } = timekeeper();
    await publishLeftBehind(deps);
    expect(published.map(({ key }) => key)).toEqual([two]);
  });

  it('is sent no further where nothing of it is answered for', async () => {
    await unpublishedRuns(60);
    await age();
    const asked: string[] = [];
    const { deps } = timekeeper(({ key }) => {
      asked.push(key);
      return UNKNOWN;
    });
    await expect(publishLeftBehind(deps)).rejects.toThrow('Kafka did not answer');
    expect(asked).toHaveLength(50);
  });

  it('does not wait behind what can never be published', async () => {
    const runIds = await unpublishedRuns(120);
    await age();
    const poisoned = new Set(runIds.slice(0, 70));
    const { deps, published } = timekeeper(({ key }) => poisoned.has(key));
    await expect(publishLeftBehind(deps)).rejects.toThrow('Kafka refused: UNKNOWN_TOPIC_OR_PARTITION');
    expect(published.map(({ key }) => key)).toEqual(runIds.slice(70));
    expect(await outboxRows()).toBe(70);
  });

  it('neither keeps timers waiting nor what is behind it, where Kafka is slow to refuse a topic', async () => {
    const [healthy] = (await unpublishedRuns(1)) as [string];
    await engine.database.execute(`update outbox set id = 'ffffffff-ffff-7fff-bfff-ffffffffffff'`);
    await engine.database.execute(
      `insert into outbox (id, messages) select gen_random_uuid(), $1 from generate_series(1, 300)`,
      [JSON.stringify([{ topic: 'agent.gone', key: 'k', value: {} }])],
    );
    await age();
    const { deps, published, time } = timekeeper(({ topic }) => topic === 'agent.gone');
    time.refusalMs = 1_000;
    await expect(publishLeftBehind(deps)).rejects.toThrow('Kafka refused');
    expect(published.map(({ key }) => key)).toEqual([healthy]);
    expect(time.now).toBeLessThan(10_000);
    expect(await outboxRows()).toBe(300);
  });

  it('is asked of Kafka the less often the longer it is refused', async () => {
    await unpublishedRuns(3);
    const seconds = [1, 32, 86_400];
    for (const [i, each] of seconds.entries())
      await engine.database.execute(
        `update outbox set created_at = now() - $2 * interval '1 second'
          where id = (select id from outbox order by id offset $1 limit 1)`,
        [i, each + 4],
      );
    await expect(publishLeftBehind(timekeeper(() => true).deps)).rejects.toThrow('Kafka refused');
    const [soon, later, late] = await secondsToRetry();
    const within = (seconds: number | null | undefined, most: number) =>
      seconds! > most - 5 && seconds! <= most;
    expect([within(soon, 10), within(later, 40), within(late, 60)]).toEqual([true, true, true]);
  });

  it('is claimed so much at once as can be held, one row at least', async () => {
    await unpublishedRuns(1);
    await engine.database.execute('delete from outbox');
    await engine.database.execute(
      `insert into outbox (id, messages) select gen_random_uuid(), json_build_array(repeat('x', 1000)) from generate_series(1, 5)`,
    );
    await age();
    const claim = (maxBytes: number) =>
      claimLeftBehind(engine.database, { olderThanMs: 3_000, limit: 10, maxBytes, leaseMs: 60_000 });
    expect(await claim(2_500)).toHaveLength(3);
    expect(await claim(1)).toHaveLength(1);
    expect(await claim(1)).toHaveLength(1);
    expect(await claim(1)).toHaveLength(0);
  });
});
