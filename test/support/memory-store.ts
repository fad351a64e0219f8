import type {
  AgentName,
  AgentRoute,
  AttemptOpened,
  Changes,
  LockedRun,
  OutboxEntry,
  RunStore,
  RunTransaction,
} from '../../shared/application/ports.ts';
import { agentKey } from '../../shared/application/ports.ts';
import type { NewRun, NewRuns } from '../../shared/application/start-run.ts';
import type { WorkflowDefinition } from '../../shared/definition/workflow-definition.ts';
import type { Json, JsonObject } from '../../shared/engine/json.ts';
import { type Attempt, isOpenAttempt } from '../../shared/engine/state.ts';

export interface RunRow extends LockedRun {
  readonly inputData: Json;
  readonly variables: Json;
}

export interface AttemptRow extends Omit<AttemptOpened, 'attempt'> {
  readonly attempt: Attempt;
}

export interface OutboxRow {
  readonly entry: OutboxEntry;
  readonly createdAt: number;
}

/** Where a test may look, throw or wait: between any two steps of a transaction. */
export type StorePoint = keyof RunTransaction | 'begin' | 'commit' | 'committed';

/**
 * The engine's tables in memory, as the SQL treats them: a transaction sees what was committed before it, a rollback leaves
 * nothing, guards miss, unique rules hold, and a decision gets back what the statements select and no more. Transactions follow
 * one another, as those on the same runs do under their locks.
 */
export class MemoryStore implements RunStore, NewRuns {
  runs = new Map<string, RunRow>();
  attempts = new Map<string, AttemptRow>();
  outbox = new Map<string, OutboxRow>();
  versions = new Map<string, { definition: WorkflowDefinition; version: number }>();
  readonly routes = new Map<string, AgentRoute>();
  /** What was asked, in order, since the last `forget`. */
  readonly asked: StorePoint[] = [];
  readonly #now: () => number;
  #turn: Promise<unknown> = Promise.resolve();
  /** Called at every point; what it throws, the transaction throws. */
  onPoint: (point: StorePoint) => void = () => {};

  constructor(now: () => number) {
    this.#now = now;
  }

  forget(): void {
    this.asked.splice(0);
  }

  transaction<T>(work: (transaction: RunTransaction) => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => this.#run(work));
    this.#turn = result.catch(() => {});
    return result;
  }

  async insert(run: NewRun): Promise<null> {
    if (this.runs.has(run.runId)) throw failure('UNIQUE_VIOLATION');
    this.runs.set(run.runId, {
      run: {
        runId: run.runId,
        status: 'PENDING',
        sequence: 0,
        startedAt: null,
        completedAt: null,
        outputData: null,
        error: null,
        cancellation: null,
        retriedAt: null,
        wakeAt: run.wakeAt.getTime(),
      },
      versionId: run.versionId,
      owner: run.owner,
      workflowId: run.workflowId,
      inputData: stored(run.inputData ?? null),
      variables: stored(run.variables ?? null),
    });
    this.outbox.set(run.request.id, { entry: stored(run.request), createdAt: this.#now() });
    return null;
  }

  async notePublishFailure(runId: string, message: string): Promise<void> {
    const row = this.runs.get(runId);
    if (row?.run.status !== 'PENDING') return;
    const error = { code: '', message, stepId: null, attempt: null };
    this.runs.set(runId, { ...row, run: { ...row.run, error } });
  }

  addVersion(id: string, definition: WorkflowDefinition, version = 1): void {
    this.versions.set(id, { definition, version });
  }

  removeOutbox(ids: readonly string[]): void {
    for (const id of ids) this.outbox.delete(id);
  }

  attemptsOf(runId: string): Attempt[] {
    return [...this.attempts.values()].filter((row) => row.runId === runId).map(({ attempt }) => attempt);
  }

  async #run<T>(work: (transaction: RunTransaction) => Promise<T>): Promise<T> {
    const before = { runs: this.runs, attempts: this.attempts, outbox: this.outbox, versions: this.versions };
    this.runs = new Map(before.runs);
    this.attempts = new Map(before.attempts);
    this.outbox = new Map(before.outbox);
    this.versions = new Map(before.versions);
    try {
      this.#at('begin');
      const left: Promise<unknown>[] = [];
      const result = await work(this.#statements(left));
      await Promise.all(left);
      this.#at('commit');
      return result;
    } catch (error) {
      Object.assign(this, before);
      throw error;
    } finally {
      this.onPoint('committed');
    }
  }

  #at(point: StorePoint): void {
    this.asked.push(point);
    this.onPoint(point);
  }

  #statements(left: Promise<unknown>[]): RunTransaction {
    const store = this;
    /** What the work need not await: the transaction commits with it, or fails with it. */
    const leave = <T>(statement: Promise<T>): Promise<T> => {
      left.push(statement);
      return statement;
    };
    return {
      async lockRuns(runIds) {
        store.#at('lockRuns');
        return runIds.flatMap((runId) => {
          const row = store.runs.get(runId);
          if (row === undefined) return [];
          const { inputData: _input, variables: _variables, ...locked } = row;
          const error = locked.run.error?.code === '' ? null : locked.run.error;
          return [{ ...locked, run: { ...locked.run, outputData: null, error } }];
        });
      },
      async loadAttempts({ ids, withInput, openOf, lastOf }) {
        store.#at('loadAttempts');
        const found = new Map<string, AttemptRow>();
        const add = (row: AttemptRow | undefined) => row && found.set(row.attempt.stepExecutionId, row);
        for (const id of ids) add(store.attempts.get(id));
        for (const row of store.attempts.values())
          if (openOf.includes(row.runId) && isOpenAttempt(row.attempt)) add(row);
        for (const runId of lastOf) {
          const rows = [...store.attempts.values()].filter((row) => row.runId === runId);
          add(rows.sort((a, b) => b.attempt.createdAt - a.attempt.createdAt)[0]);
        }
        const byRun = new Map<string, Attempt[]>();
        for (const { runId, attempt } of found.values()) {
          const inputData = withInput.includes(attempt.stepExecutionId) ? attempt.inputData : null;
          const loaded = { ...attempt, inputData, outputData: null, error: null, logs: null };
          byRun.set(runId, [...(byRun.get(runId) ?? []), loaded]);
        }
        return byRun;
      },
      async loadData({ inputsOf, variablesOf, outputs }) {
        store.#at('loadData');
        const data = {
          workflowInputs: new Map<string, Json>(),
          variables: new Map<string, Json>(),
          outputs: new Map<string, Map<string, Json>>(),
        };
        for (const runId of inputsOf) {
          const { inputData, variables } = store.runs.get(runId)!;
          data.workflowInputs.set(runId, inputData ?? variables);
        }
        for (const runId of variablesOf) {
          const { inputData, variables } = store.runs.get(runId)!;
          data.variables.set(runId, variables ?? inputData);
        }
        for (const { runId, stepId } of outputs) {
          const completed = store
            .attemptsOf(runId)
            .findLast((attempt) => attempt.stepId === stepId && attempt.status === 'COMPLETED');
          if (completed === undefined) continue;
          const ofRun = data.outputs.get(runId) ?? new Map<string, Json>();
          data.outputs.set(runId, ofRun.set(stepId, completed.outputData));
        }
        return data;
      },
      async loadVersions(versionIds) {
        store.#at('loadVersions');
        return new Map(
          versionIds.flatMap((id) => (store.versions.has(id) ? [[id, store.versions.get(id)!]] : [])),
        );
      },
      loadAgentRoutes: (names) => leave(store.#loadAgentRoutes(names)),
      async storeInlinePlans(definitions: readonly JsonObject[]) {
        store.#at('storeInlinePlans');
        return definitions.map((definition) => {
          const id = `inline-${JSON.stringify(definition)}`;
          store.addVersion(id, definition as unknown as WorkflowDefinition);
          return id;
        });
      },
      save: (changes, outbox) => leave(store.#save(changes, outbox)),
    };
  }

  async #loadAgentRoutes(names: readonly AgentName[]): Promise<ReadonlyMap<string, AgentRoute>> {
    this.#at('loadAgentRoutes');
    const routes = new Map<string, AgentRoute>();
    for (const agent of names) {
      const route = this.routes.get(agentKey(agent)) ?? this.routes.get(agentKey({ ...agent, owner: null }));
      if (route !== undefined) routes.set(agentKey(agent), route);
    }
    return routes;
  }

  async #save({ advanced, changed, opened, started, closed }: Changes, outbox: OutboxEntry): Promise<void> {
    this.#at('save');
    if (JSON.stringify([opened, closed, changed]).includes('\\u0000')) throw failure('VALUE_REFUSED');
    const openRow = (id: string) => {
      const row = this.attempts.get(id);
      if (row === undefined || !isOpenAttempt(row.attempt)) throw failure('STALE_DECISION');
      return row;
    };
    for (const { stepExecutionId: id, status, outputData, error, logs, completedAt } of closed) {
      const row = openRow(id);
      const settled = { status, outputData: stored(outputData), error, logs, completedAt };
      this.attempts.set(id, { ...row, attempt: { ...row.attempt, ...settled, dueAt: null, wakeAt: null } });
    }
    for (const { stepExecutionId: id, startedAt, deadlineAt, republishedAt, wakeAt } of started) {
      const row = openRow(id);
      const times = { startedAt, deadlineAt, republishedAt, wakeAt, dueAt: null };
      this.attempts.set(id, { ...row, attempt: { ...row.attempt, ...times, status: 'RUNNING' } });
    }
    for (const row of opened) {
      const key = ({ runId, attempt }: AttemptRow) =>
        JSON.stringify([runId, attempt.scope, attempt.stepId, attempt.visit, attempt.attempt]);
      if ([...this.attempts.values()].some((other) => other.runId === row.runId && key(other) === key(row)))
        throw failure('UNIQUE_VIOLATION');
      this.attempts.set(row.attempt.stepExecutionId, stored(row));
    }
    for (const { runId, sequence } of advanced) {
      const row = this.runs.get(runId)!;
      if (row.run.status !== 'RUNNING' || sequence <= row.run.sequence) throw failure('STALE_DECISION');
      this.runs.set(runId, { ...row, run: { ...row.run, sequence } });
    }
    for (const { run, versionId } of changed) {
      const row = this.runs.get(run.runId)!;
      if (run.sequence <= row.run.sequence) throw failure('STALE_DECISION');
      this.runs.set(run.runId, { ...row, run: stored(run), versionId });
    }
    this.outbox.set(outbox.id, { entry: stored(outbox), createdAt: this.#now() });
  }
}

/** What comes back from a column is what JSON keeps. */
function stored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function failure(code: string): Error {
  return Object.assign(new Error(`The store says ${code}`), { code });
}
