import { pendingRun } from '../../shared/application/pending-run.ts';
import { workflowIdOf } from '../../shared/application/plan-messages.ts';
import type { OutboxEntry } from '../../shared/application/ports/publishing.ts';
import type { AttemptChange, Changes } from '../../shared/application/ports/run-store.ts';
import { type Attempt, isOpenAttempt } from '../../shared/engine/state.ts';
import {
  type AttemptRow,
  failure,
  isPausedAsWorkflow,
  keyOf,
  type MemoryTables,
  stored,
} from './memory-tables.ts';

/** As functions/save_runs.sql, its guards and unique rules too. */
export function writeChanges(tables: MemoryTables, changes: Changes, outbox: OutboxEntry, now: number): void {
  const { opened, closed, changed, children, data, signalsKept } = changes;
  if (JSON.stringify([opened, closed, changed, children, data, signalsKept]).includes('\\u0000'))
    throw failure('VALUE_REFUSED');
  writeRuns(tables, changes);
  writeAttempts(tables, changes);
  writeScopes(tables, changes);
  writeSignals(tables, changes);
  tables.outbox.set(outbox.id, { entry: stored(outbox), createdAt: now });
}

function writeAttempts({ attempts }: MemoryTables, { closed, continued, opened }: Changes): void {
  const openRow = (id: string, { timesWere }: Pick<AttemptChange, 'timesWere'>) => {
    const row = attempts.get(id);
    if (row === undefined || !isOpenAttempt(row.attempt)) throw failure('STALE_DECISION');
    const { deadlineAt, heartbeatDueAt } = row.attempt;
    if (timesWere && (timesWere.deadlineAt !== deadlineAt || timesWere.heartbeatDueAt !== heartbeatDueAt))
      throw Object.assign(failure('RUNS_MOVED_ON'), { runIds: [row.runId] });
    return row;
  };
  for (const { stepExecutionId: id, ...change } of closed) {
    const row = openRow(id, change);
    const { status, error, logs, completedAt } = change;
    const attempt: Attempt = {
      ...row.attempt,
      status,
      error,
      logs,
      completedAt,
      outputData: stored(change.outputData),
      inputData: row.attempt.inputData ?? stored(change.inputData),
      startedAt: row.attempt.startedAt ?? change.startedAt,
      childRunId: change.childRunId ?? row.attempt.childRunId,
      dueAt: null,
      heartbeatDueAt: null,
      wakeAt: null,
    };
    attempts.set(id, { ...row, attempt });
  }
  for (const { stepExecutionId: id, ...change } of continued) {
    const row = openRow(id, change);
    const { status, startedAt, signalName, childRunId, heartbeatMs } = change;
    const { dueAt, deadlineAt, heartbeatDueAt, republishedAt, wakeAt } = change;
    const attempt: Attempt = {
      ...row.attempt,
      ...{ status, startedAt, signalName, childRunId, heartbeatMs },
      ...{ dueAt, deadlineAt, heartbeatDueAt, republishedAt, wakeAt },
      inputData: row.attempt.inputData ?? stored(change.inputData),
    };
    attempts.set(id, { ...row, attempt });
  }
  for (const row of opened) {
    if (attempts.has(row.attempt.stepExecutionId)) throw failure('UNIQUE_VIOLATION');
    for (const other of attempts.values()) if (isSameAttempt(other, row)) throw failure('UNIQUE_VIOLATION');
    attempts.set(row.attempt.stepExecutionId, stored(row));
  }
}

/** unique (run_id, scope, step_id, visit, attempt) */
function isSameAttempt(one: AttemptRow, other: AttemptRow): boolean {
  const [{ attempt: a }, { attempt: b }] = [one, other];
  return (
    one.runId === other.runId &&
    a.stepId === b.stepId &&
    a.visit === b.visit &&
    a.attempt === b.attempt &&
    a.scope === b.scope
  );
}

function writeRuns(tables: MemoryTables, { advanced, changed, runsStarted }: Changes): void {
  const { paused, runs } = tables;
  const movedOn = [
    ...advanced.filter(({ runId, was }) => {
      const { run } = runs.get(runId)!;
      return run.sequence !== was || run.status !== 'RUNNING';
    }),
    ...changed.flatMap(({ run: { runId }, was, statusWas, workflowWasPaused }) => {
      const { run } = runs.get(runId)!;
      const isSamePause =
        workflowWasPaused === null || workflowWasPaused === isPausedAsWorkflow(tables, runId);
      const isSame = run.sequence === was && run.status === statusWas && isSamePause;
      return isSame ? [] : [{ runId }];
    }),
  ];
  if (movedOn.length > 0)
    throw Object.assign(failure('RUNS_MOVED_ON'), { runIds: movedOn.map(({ runId }) => runId) });
  for (const { runId, sequence, stepsStarted } of advanced) {
    const row = runs.get(runId)!;
    runs.set(runId, { ...row, run: { ...row.run, sequence, stepsStarted } });
  }
  for (const { run, versionId, version } of changed) {
    const row = runs.get(run.runId)!;
    const { isWorkflowPaused } = row.run;
    const workflowId = version?.workflowId ?? row.workflowId;
    runs.set(run.runId, { ...row, run: { ...stored(run), isWorkflowPaused }, versionId, workflowId });
  }
  for (const { childRunId: runId, workflow, parentStepExecutionId, parentRunId, ...given } of runsStarted) {
    const parent = runs.get(parentRunId);
    if (parent === undefined) throw failure('STALE_DECISION');
    if (runs.has(runId)) throw failure('UNIQUE_VIOLATION');
    const { depth, wakeAt } = given;
    const waits =
      parentStepExecutionId === null ? null : { runId: parentRunId, stepExecutionId: parentStepExecutionId };
    const heldBy = paused.has(workflow.workflowId) ? 'workflow' : null;
    const pausedAt = heldBy === null ? null : given.createdAt;
    runs.set(runId, {
      run: { ...pendingRun(runId), depth, wakeAt, parent: waits, pausedAt, heldBy },
      versionId: workflow.versionId,
      owner: parent.owner,
      workflowId: workflowIdOf(workflow.name, workflow.version),
      definitionId: workflow.workflowId,
      inputData: stored(given.inputData),
      variables: null,
    });
  }
}

function writeScopes(
  tables: MemoryTables,
  { joins, children, data }: Pick<Changes, 'joins' | 'children' | 'data'>,
): void {
  for (const { runId, join, before } of joins) {
    const key = keyOf(runId, join.path);
    const is = tables.joins.get(key)?.join;
    if (before === null && is !== undefined) throw failure('UNIQUE_VIOLATION');
    if (before !== null && (is?.completed !== before.completed || is.failed !== before.failed))
      throw failure('STALE_DECISION');
    tables.joins.set(key, { runId, join: stored(join) });
  }
  for (const { runId, child } of children) {
    const key = keyOf(runId, child.scope);
    const { input, index } = tables.children.get(key)?.child ?? child;
    tables.children.set(key, { runId, child: stored({ ...child, index, input }) });
  }
  for (const { runId, ...set } of data) {
    const { scope, variables, error, isWhole } = set;
    const key = keyOf(runId, scope);
    tables.history.set(key, { sets: [...(tables.history.get(key)?.sets ?? []), stored(set)] });
    const is = isWhole ? undefined : tables.data.get(key);
    tables.data.set(key, {
      runId,
      variables: stored(variables ?? is?.variables ?? null),
      error: stored(error ?? is?.error ?? null),
    });
  }
}

function writeSignals({ signals }: MemoryTables, { signalsKept, signalsTaken }: Changes): void {
  for (const { runId, signal } of signalsKept) {
    const key = keyOf(runId, signal.id);
    if (signals.has(key)) throw failure('UNIQUE_VIOLATION');
    signals.set(key, { runId, signal: stored(signal) });
  }
  for (const { runId, signal } of signalsTaken) {
    const key = keyOf(runId, signal.id);
    if (signals.get(key)?.signal.takenBy !== null) throw failure('STALE_DECISION');
    signals.set(key, { runId, signal: stored(signal) });
  }
}
