import { pendingRun } from '../../shared/application/pending-run.ts';
import type { AgentClock, AgentName, AgentRoute } from '../../shared/application/ports/agents.ts';
import { agentKey } from '../../shared/application/ports/agents.ts';
import type { OutboxEntry, Settlement } from '../../shared/application/ports/publishing.ts';
import type { Changes, RunReads, RunSaves, RunStore } from '../../shared/application/ports/run-store.ts';
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
  isPausedAsWorkflow,
  rollback,
  stored,
  type Written,
} from './memory-tables.ts';
import { writeChanges } from './memory-writes.ts';

/** Where a test may look, throw or wait: between any two steps of a decision. */
export type StorePoint = keyof RunReads | 'save' | 'commit' | 'lock';

/**
 * The engine's tables in memory, as the SQL treats them: what is read was committed before, what is saved is saved whole or not at
 * all, guards miss, unique rules hold, and a decision gets back what the statements select and no more. Between what is read and what
 * is saved others may save, unless the runs are locked.
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

  get pausedWorkflows() {
    return this.#tables.paused;
  }

  forget(): void {
    this.asked.splice(0);
  }

  loadRuns: RunStore['loadRuns'] = (query) => this.#inTurn(() => this.#reads.loadRuns(query));
  loadAttempts: RunStore['loadAttempts'] = (query) => this.#inTurn(() => this.#reads.loadAttempts(query));
  loadJoins: RunStore['loadJoins'] = (query) => this.#inTurn(() => this.#reads.loadJoins(query));
  loadData: RunStore['loadData'] = (asked) => this.#inTurn(() => this.#reads.loadData(asked));
  loadCompletedSteps: RunStore['loadCompletedSteps'] = (runIds) =>
    this.#inTurn(() => this.#reads.loadCompletedSteps(runIds));
  loadVersions: RunStore['loadVersions'] = (ids) => this.#inTurn(() => this.#reads.loadVersions(ids));
  storeInlinePlans: RunStore['storeInlinePlans'] = (definitions) =>
    this.#atomically(() => this.#reads.storeInlinePlans(definitions));

  save: RunStore['save'] = (changes, outbox, agents) =>
    this.#atomically(async () => {
      const routes = await this.#save(changes, outbox, agents);
      this.#at('commit');
      return routes;
    });

  /** Nobody else reads or writes meanwhile, whichever the runs are. */
  underLock<T>(_runIds: readonly string[], work: (store: RunReads & RunSaves) => Promise<T>): Promise<T> {
    return this.#atomically(async () => {
      this.#at('lock');
      const save: RunSaves['save'] = (...args) => this.#save(...args);
      const result = await work({ ...this.#reads, save });
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
      definitionId: run.workflowDefinitionId,
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

  /** After what was begun before. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** All of it or nothing. */
  #atomically<T>(work: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
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
  }

  #at(point: StorePoint): void {
    this.asked.push(point);
    this.onPoint(point);
  }

  readonly #reads: RunReads = {
    loadRuns: async ({ runIds, woken, attempts }) => {
      this.#at('loadRuns');
      const runs = runIds.flatMap((runId) => {
        const row = this.runs.get(runId);
        if (row === undefined) return [];
        const { inputData, variables, definitionId: _definition, ...read } = row;
        const error = read.run.error?.code === '' ? null : read.run.error;
        const isTold = read.run.status !== 'RUNNING' || woken.includes(runId);
        const isWorkflowPaused = isTold ? isPausedAsWorkflow(this.#tables, runId) : null;
        const input = inputData ?? variables;
        const hasInput = read.run.status === 'PENDING' || input !== null;
        const workflowInput = hasInput ? { workflowInput: input } : {};
        return [
          { ...read, ...workflowInput, run: { ...read.run, outputData: null, error, isWorkflowPaused } },
        ];
      });
      return { runs, attempts: readAttempts(this.#tables, attempts) };
    },
    loadAttempts: async (query) => {
      this.#at('loadAttempts');
      return readAttempts(this.#tables, query);
    },
    loadJoins: async (query) => {
      this.#at('loadJoins');
      return readJoins(this.#tables, query);
    },
    loadData: async (asked) => {
      this.#at('loadData');
      this.onLoad(asked.map(({ runId }) => runId));
      return new Map(asked.map((needs) => [needs.runId, readData(this.#tables, needs)]));
    },
    loadCompletedSteps: async (runIds) => {
      this.#at('loadCompletedSteps');
      return new Map(
        runIds.map((runId) => {
          const completed = this.attemptsOf(runId).filter(({ status }) => status === 'COMPLETED');
          return [runId, [...new Set(completed.map(({ stepId }) => stepId))].sort()];
        }),
      );
    },
    loadVersions: async (versionIds) => {
      this.#at('loadVersions');
      return new Map(
        versionIds.flatMap((id) => (this.versions.has(id) ? [[id, this.versions.get(id)!]] : [])),
      );
    },
    storeInlinePlans: async (definitions) => {
      this.#at('storeInlinePlans');
      return definitions.map((definition) => {
        const id = `inline-${JSON.stringify(definition)}`;
        this.addVersion(id, definition);
        return id;
      });
    },
  };

  async #save(
    changes: Changes,
    outbox: OutboxEntry,
    agents: readonly AgentName[],
  ): Promise<ReadonlyMap<string, AgentRoute>> {
    this.#at('save');
    this.onSave(changes);
    writeChanges(this.#tables, changes, outbox, this.#now());
    return this.routesOf(agents);
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
