import { pendingRun } from '../../shared/application/pending-run.ts';
import type {
  AgentClock,
  AgentName,
  AgentRoute,
  Changes,
  RunStore,
  RunTransaction,
  Settlement,
} from '../../shared/application/ports.ts';
import { agentKey } from '../../shared/application/ports.ts';
import type { NewRun, NewRuns } from '../../shared/application/start-run.ts';
import type { WorkflowDefinition } from '../../shared/definition/workflow-definition.ts';
import type { Attempt } from '../../shared/engine/state.ts';
import { readAttempts, readData, readJoins } from './memory-reads.ts';
import {
  attemptsOf,
  begin,
  commit,
  emptyTables,
  failure,
  rollback,
  stored,
  type Written,
} from './memory-tables.ts';
import { writeChanges } from './memory-writes.ts';

/** Where a test may look, throw or wait: between any two steps of a transaction. */
export type StorePoint = keyof RunTransaction | 'begin' | 'commit';

/**
 * The engine's tables in memory, as the SQL treats them: a transaction sees what was committed before it, a rollback leaves
 * nothing, guards miss, unique rules hold, and a decision gets back what the statements select and no more. Transactions follow
 * one another, as those on the same runs do under their locks.
 */
export class MemoryStore implements RunStore, NewRuns {
  readonly #tables = emptyTables();
  readonly routes = new Map<string, AgentRoute>();
  /** What was asked, in order, since the last `forget`. */
  readonly asked: StorePoint[] = [];
  readonly #now: () => number;
  #turn: Promise<unknown> = Promise.resolve();
  /** Called at every point; what it throws, the transaction throws. */
  onPoint: (point: StorePoint) => void = () => {};
  /** Sees whose data are to be read; what it throws, the transaction throws. */
  onLoad: (runIds: readonly string[]) => void = () => {};
  /** Sees what is to be written; what it throws, the transaction throws. */
  onSave: (changes: Changes) => void = () => {};
  /** Called after each commit. */
  onCommitted: (written: Written) => void = () => {};

  constructor(now: () => number) {
    this.#now = now;
  }

  get runs() {
    return this.#tables.runs;
  }

  get attempts() {
    return this.#tables.attempts;
  }

  get joins() {
    return this.#tables.joins;
  }

  get children() {
    return this.#tables.children;
  }

  get data() {
    return this.#tables.data;
  }

  get signals() {
    return this.#tables.signals;
  }

  get outbox() {
    return this.#tables.outbox;
  }

  get versions() {
    return this.#tables.versions;
  }

  get workflows() {
    return this.#tables.workflows;
  }

  forget(): void {
    this.asked.splice(0);
  }

  transaction<T>(work: (transaction: RunTransaction) => Promise<T>): Promise<T> {
    return this.#atomically(async () => {
      this.#at('begin');
      const left: Promise<unknown>[] = [];
      const result = await work(this.#statements(left));
      await Promise.all(left);
      this.#at('commit');
      return result;
    });
  }

  insert(run: NewRun): Promise<null> {
    return this.#atomically(async () => this.#insert(run));
  }

  #insert(run: NewRun): null {
    if (this.runs.has(run.runId)) throw failure('UNIQUE_VIOLATION');
    this.runs.set(run.runId, {
      run: { ...pendingRun(run.runId), wakeAt: run.wakeAt.getTime() },
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

  /** As persistence/agent-calls.ts. */
  startClocks(clocks: readonly AgentClock[]): void {
    for (const { stepExecutionId, timeoutMs } of clocks) {
      const row = this.attempts.get(stepExecutionId);
      if (row?.attempt.status !== 'RUNNING') continue;
      const deadlineAt = this.#now() + timeoutMs;
      const republishedAt = row.attempt.republishedAt ?? this.#now();
      const attempt = { ...row.attempt, deadlineAt, wakeAt: deadlineAt, republishedAt };
      this.attempts.set(stepExecutionId, { ...row, attempt });
    }
  }

  removeOutbox(ids: readonly string[]): void {
    for (const id of ids) this.outbox.delete(id);
  }

  /** As functions/settle_outbox.sql. */
  settleOutbox(settlements: readonly Settlement[]): void {
    for (const { id, published, retryInMs, isRefused } of settlements) {
      const row = this.outbox.get(id);
      if (row === undefined) continue;
      const both = [...published].map((bit, i) => (row.published?.[i] === '1' ? '1' : bit)).join('');
      if (!both.includes('0')) {
        this.outbox.delete(id);
        continue;
      }
      const retryAt = retryInMs === null ? (row.retryAt ?? null) : this.#now() + retryInMs;
      const before = row.refusedSince ?? null;
      const refusedSince = isRefused === null ? before : isRefused ? (before ?? this.#now()) : null;
      this.outbox.set(id, { ...row, published: both, retryAt, refusedSince });
    }
  }

  attemptsOf(runId: string): Attempt[] {
    return attemptsOf(this.#tables, runId);
  }

  /** All of it or nothing, after what was begun before. */
  #atomically<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(async () => {
      begin(this.#tables);
      try {
        const done = await work();
        this.onCommitted(commit(this.#tables));
        return done;
      } catch (error) {
        rollback(this.#tables);
        throw error;
      }
    });
    this.#turn = result.catch(() => {});
    return result;
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
      async lockRuns(runIds, woken) {
        store.#at('lockRuns');
        return runIds.flatMap((runId) => {
          const row = store.runs.get(runId);
          if (row === undefined) return [];
          const { inputData: _input, variables: _variables, ...locked } = row;
          const error = locked.run.error?.code === '' ? null : locked.run.error;
          const isTold = locked.run.status !== 'RUNNING' || woken.includes(runId);
          const isWorkflowPaused = isTold ? locked.run.isWorkflowPaused : null;
          return [{ ...locked, run: { ...locked.run, outputData: null, error, isWorkflowPaused } }];
        });
      },
      async loadAttempts(query) {
        store.#at('loadAttempts');
        return readAttempts(store.#tables, query);
      },
      async loadJoins(query) {
        store.#at('loadJoins');
        return readJoins(store.#tables, query);
      },
      async loadData(asked) {
        store.#at('loadData');
        store.onLoad(asked.map(({ runId }) => runId));
        return new Map(asked.map((needs) => [needs.runId, readData(store.#tables, needs)]));
      },
      async loadCompletedSteps(runIds) {
        store.#at('loadCompletedSteps');
        return new Map(
          runIds.map((runId) => {
            const completed = store.attemptsOf(runId).filter(({ status }) => status === 'COMPLETED');
            return [runId, [...new Set(completed.map(({ stepId }) => stepId))].sort()];
          }),
        );
      },
      async loadVersions(versionIds) {
        store.#at('loadVersions');
        return new Map(
          versionIds.flatMap((id) => (store.versions.has(id) ? [[id, store.versions.get(id)!]] : [])),
        );
      },
      loadAgentRoutes: (names) => leave(store.#loadAgentRoutes(names)),
      async storeInlinePlans(definitions) {
        store.#at('storeInlinePlans');
        return definitions.map((definition) => {
          const id = `inline-${JSON.stringify(definition)}`;
          store.addVersion(id, definition);
          return id;
        });
      },
      save(changes, outbox) {
        const save = async () => {
          store.#at('save');
          store.onSave(changes);
          writeChanges(store.#tables, changes, outbox, store.#now());
        };
        return leave(save());
      },
    };
  }

  async #loadAgentRoutes(names: readonly AgentName[]): Promise<ReadonlyMap<string, AgentRoute>> {
    this.#at('loadAgentRoutes');
    return this.routesOf(names);
  }

  /** The owner's own before everybody's. */
  routesOf(names: readonly AgentName[]): ReadonlyMap<string, AgentRoute> {
    const routes = new Map<string, AgentRoute>();
    for (const agent of names) {
      const route = this.routes.get(agentKey(agent)) ?? this.routes.get(agentKey({ ...agent, owner: null }));
      if (route !== undefined) routes.set(agentKey(agent), route);
    }
    return routes;
  }
}
