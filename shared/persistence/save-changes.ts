import { workflowIdOf } from '../application/plan-messages.ts';
import type { AgentName, AgentRoute } from '../application/ports/agents.ts';
import type { OutboxEntry } from '../application/ports/publishing.ts';
import type {
  AttemptChange,
  AttemptOpened,
  Changes,
  ChildChange,
  JoinChange,
  RunAdvance,
  RunChange,
  RunStarted,
  ScopeData,
  SignalChange,
} from '../application/ports/run-store.ts';
import { childKey } from '../engine/scope-path.ts';
import { type RouteRow, routeParameters, routesOf } from './agent-routes.ts';
import { auditRow } from './audit-log.ts';
import { attemptRow, joinRow, runRow } from './columns.ts';
import type { Statements } from './database.ts';
import { rangeOf } from './run-range.ts';

/**
 * Writes a batch's decisions and what they publish, by one call of `save_runs` (functions/save_runs.sql).
 * @param agents to whose tasks the routes are told
 * @param published entries of the outbox that go with it
 * @throws RunsMovedOnError, StaleDecisionError
 */
export async function saveChanges(
  statements: Statements,
  changes: Changes,
  outbox: OutboxEntry,
  agents: readonly AgentName[] = [],
  published: readonly string[] = [],
): Promise<ReadonlyMap<string, AgentRoute>> {
  const routes = await statements.many<RouteRow>(
    'select * from save_runs($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)',
    [
      ...rangeOf(runIdsOf(changes)),
      rows(
        inOrder(changes.advanced, ({ runId }) => runId),
        advancedRow,
      ),
      rows(
        inOrder(changes.changed, ({ run }) => run.runId),
        changedRow,
      ),
      rows(changes.closed, closedRow),
      rows(changes.continued, continuedRow),
      rows(changes.opened, openedRow),
      rows(changes.joins, joinChange),
      rows(changes.children, childRow),
      rows(changes.data, dataRow),
      rows(changes.signalsKept, keptSignalRow),
      rows(changes.signalsTaken, ({ runId, signal: { id, takenBy } }) => ({
        run_id: runId,
        id,
        taken_by: takenBy,
      })),
      rows(changes.runsStarted, startedRunRow),
      rows(changes.audited, auditRow),
      outbox.id,
      JSON.stringify(outbox.messages),
      published,
      ...routeParameters(agents),
    ],
  );
  return routesOf(agents, routes);
}

/** Of every run that is written. */
function runIdsOf(changes: Changes): string[] {
  const { advanced, changed, closed, continued, opened, joins, children, data, runsStarted } = changes;
  const { signalsKept, signalsTaken } = changes;
  const ofRuns = [
    advanced,
    closed,
    continued,
    opened,
    joins,
    children,
    data,
    signalsKept,
    signalsTaken,
  ].flat();
  return [
    ...new Set([
      ...ofRuns.map(({ runId }) => runId),
      ...changed.map(({ run }) => run.runId),
      ...runsStarted.flatMap(({ childRunId, parentRunId }) => [childRunId, parentRunId]),
    ]),
  ];
}

/** Two batches that have runs in common wait for each other instead of deadlocking. */
function inOrder<Item>(items: readonly Item[], idOf: (item: Item) => string): readonly Item[] {
  return items.length < 2 ? items : items.toSorted((one, other) => (idOf(one) < idOf(other) ? -1 : 1));
}

function advancedRow({ runId, was, sequence, stepsStarted }: RunAdvance) {
  return { run_id: runId, was, sequence, steps_started: stepsStarted };
}

function dataRow({ runId, scope, since, variables, error, isWhole }: ScopeData) {
  return { run_id: runId, scope, since: iso(since), variables, error, is_whole: isWhole };
}

function keptSignalRow({ runId, signal: { id, name, payload, receivedAt, takenBy } }: SignalChange) {
  return { run_id: runId, id, name, payload, received_at: iso(receivedAt), taken_by: takenBy };
}

function closedRow(attempt: AttemptChange) {
  return { ...keyOf(attempt), ...attemptRow(attempt, 'closed'), ...guardOf(attempt.timesWere) };
}

function continuedRow(attempt: AttemptChange) {
  return { ...keyOf(attempt), ...attemptRow(attempt, 'continued'), ...guardOf(attempt.timesWere) };
}

function keyOf({ stepExecutionId, runId }: AttemptChange) {
  return { id: stepExecutionId, run_id: runId };
}

function guardOf(were: AttemptChange['timesWere']) {
  return (
    were && {
      guards_times: true,
      deadline_was: iso(were.deadlineAt),
      heartbeat_was: iso(were.heartbeatDueAt),
    }
  );
}

function openedRow({ runId, stepName, agentName, stepType, attempt }: AttemptOpened) {
  return {
    id: attempt.stepExecutionId,
    run_id: runId,
    step_name: stepName,
    agent_name: agentName,
    step_type: stepType,
    ...attemptRow(attempt, 'opened'),
  };
}

function changedRow({ run, was, statusWas, workflowWasPaused, versionId, version }: RunChange) {
  return {
    run_id: run.runId,
    was,
    status_was: statusWas,
    workflow_was_paused: workflowWasPaused,
    ...runRow(run),
    held_by: run.heldBy,
    workflow_version_id: versionId,
    version: version?.number,
    workflow_id: version?.workflowId,
  };
}

function joinChange({ runId, join, before }: JoinChange) {
  return {
    run_id: runId,
    ...joinRow(join),
    was_completed: before?.completed,
    was_failed: before?.failed,
  };
}

function childRow({
  runId,
  child: { scope, index, status, nextWaiting, input, output, error },
}: ChildChange) {
  return {
    run_id: runId,
    ...childKey(scope),
    index,
    status,
    next_waiting: nextWaiting,
    input,
    output,
    error_code: error?.code,
    error_message: error?.message,
  };
}

function startedRunRow({ workflow, parentRunId, ...run }: RunStarted) {
  return {
    // One uuid is both: the execution's id, and in the run's.
    id: run.childRunId.replace(/^run-/, ''),
    run_id: run.childRunId,
    workflow_id: workflowIdOf(workflow.name, workflow.version),
    workflow_name: workflow.name,
    workflow_definition_id: workflow.workflowId,
    workflow_version_id: workflow.versionId,
    version: workflow.version,
    input_data: run.inputData,
    depth: run.depth,
    parent_run_id: parentRunId,
    parent_step_execution_id: run.parentStepExecutionId,
    created_at: iso(run.createdAt),
    wake_at: iso(run.wakeAt),
  };
}

/** A JSON array, or null where there is nothing to write. */
function rows<Item>(items: readonly Item[], rowOf: (item: Item) => object): string | null {
  return items.length === 0 ? null : JSON.stringify(items.map(rowOf));
}

function iso(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString();
}
