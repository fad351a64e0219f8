import type { Topics } from '../config/topics.ts';
import type { PlanDefaults } from '../definition/compile-plan.ts';
import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { Json, JsonObject } from '../engine/json.ts';
import type { ExecutionRequest } from '../messages/messages.ts';
import type { AuditEntry } from './audit.ts';
import type { Grounds } from './grounds.ts';
import { withPlans, workflowIdOf } from './plan-messages.ts';
import type { Clock, OutboxEntry } from './ports/publishing.ts';
import type { PublishEntries } from './publish-entries.ts';

/** The newest version of a workflow, as a run of it needs it. */
export interface ExecutableWorkflow {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly version: number;
  readonly versionId: string;
  readonly definition: WorkflowDefinition;
}

/** What a run starts with. Of `inputData` and `variables` one stands for the other where it is absent. */
export interface StartRunCommand {
  /** The workflow's, whoever starts it: its agents are the owner's, and the owner sees it. */
  readonly owner: string;
  readonly triggeredBy: string;
  readonly workflow: Omit<ExecutableWorkflow, 'owner'>;
  readonly inputData: Json | undefined;
  readonly variables: JsonObject | undefined;
  readonly communityId: number | null;
  readonly metadata: JsonObject | null;
  /** The same key and request by the same caller is the same run; without one it is a new run each time. */
  readonly idempotencyKey?: string | null;
  /** Written with the run; absent where nobody called. */
  readonly audit?: AuditEntry;
  /** Absent where the caller's rights were read for this start. */
  readonly grounds?: Grounds | undefined;
}

/** A caller's `Idempotency-Key`, and what they ask for under it. */
export interface IdempotencyClaim {
  readonly userId: string;
  readonly key: string;
  /** The same text for the same request. */
  readonly request: string;
}

/** A PENDING run about to be inserted, with its execution request. */
export interface NewRun {
  readonly id: string;
  readonly runId: string;
  readonly workflowId: string;
  readonly workflowName: string;
  readonly workflowDefinitionId: string;
  readonly versionId: string;
  readonly version: number;
  readonly owner: string;
  readonly triggeredBy: string;
  readonly inputData: Json | undefined;
  readonly variables: JsonObject | undefined;
  readonly communityId: number | null;
  readonly metadata: JsonObject | null;
  readonly createdAt: Date;
  /** When the timekeeper looks whether anybody picked it up (I7). */
  readonly wakeAt: Date;
  readonly request: OutboxEntry;
  readonly idempotency?: IdempotencyClaim;
  readonly audit?: AuditEntry;
  readonly grounds?: Grounds | undefined;
}

export interface EarlierRun extends StartedRun {
  readonly isSameRequest: boolean;
}

export class IdempotencyKeyReusedError extends Error {
  readonly code = 'IDEMPOTENCY_KEY_REUSED';
}

export interface NewRuns {
  /**
   * The run and its outbox row, in one transaction. Null when they are inserted; where the run claims an idempotency key that the
   * caller has used before, the run that came of it, and nothing is inserted.
   * @throws GroundsChangedError where the run's grounds are not what is stored: nothing is inserted
   */
  insert(run: NewRun): Promise<EarlierRun | null>;
  /** Says on a run that is still PENDING why it has not begun; cleared when it begins. */
  notePublishFailure(runId: string, message: string): Promise<void>;
}

export interface StartRunDeps {
  readonly runs: NewRuns;
  readonly topics: Topics;
  readonly clock: Clock;
  /** A fresh UUIDv7. */
  readonly nextId: () => string;
  readonly publishEntries: PublishEntries;
  readonly planDefaults: Pick<PlanDefaults, 'pickUpMs'>;
}

export interface StartedRun {
  /** `run-<uuid>`, and the same uuid is the execution's id. */
  readonly runId: string;
  readonly executionId: string;
  readonly createdAt: Date;
  /** Started by an earlier request under the same key. */
  readonly isRepeat?: true;
}

/**
 * @throws IdempotencyKeyReusedError where the caller has asked for something else under the same key
 * @throws GroundsChangedError
 */
export type StartRun = (command: StartRunCommand) => Promise<StartedRun>;

/**
 * Acknowledges a run: from its commit on it is never lost. Publishing is bounded to about a second; a run whose request could
 * not be published stays PENDING with `error_message`, and begins when the timekeeper has published it.
 */
export function createStartRun(deps: StartRunDeps): StartRun {
  return async (command) => {
    const run = newRun(deps, command);
    const earlier = await deps.runs.insert(run);
    if (earlier) return repeated(earlier);
    const { versionId, definition, version } = command.workflow;
    const entry = withPlans(run.request, new Map([[versionId, { definition, version }]]));
    const published = await deps.publishEntries([entry]);
    if (!published.ok) {
      const message = `The execution request is not published yet and will be: ${published.reason}`;
      // The run is acknowledged whether or not this note is written.
      await deps.runs.notePublishFailure(run.runId, message).catch(() => {});
    }
    return { runId: run.runId, executionId: run.id, createdAt: run.createdAt };
  };
}

/** What the caller was answered the first time; its request was published then, or is the timekeeper's. */
function repeated({ isSameRequest, ...started }: EarlierRun): StartedRun {
  if (isSameRequest) return { ...started, isRepeat: true };
  throw new IdempotencyKeyReusedError('Use a new Idempotency-Key: this one came with another request before');
}

function newRun({ topics, clock, nextId, planDefaults }: StartRunDeps, command: StartRunCommand): NewRun {
  const { workflow, idempotencyKey: key, ...given } = command;
  const id = nextId();
  const runId = `run-${id}`;
  const now = clock.now();
  const value = {
    run_id: runId,
    input_data: given.inputData ?? given.variables ?? null,
    timestamp: new Date(now).toISOString(),
    message_type: 'execution_request',
  } satisfies Omit<ExecutionRequest, 'workflow_plan'>;
  return {
    ...given,
    id,
    runId,
    workflowId: workflowIdOf(workflow.name, workflow.version),
    workflowName: workflow.name,
    workflowDefinitionId: workflow.id,
    versionId: workflow.versionId,
    version: workflow.version,
    createdAt: new Date(now),
    wakeAt: new Date(now + planDefaults.pickUpMs),
    ...(typeof key === 'string' && {
      idempotency: { userId: given.triggeredBy, key, request: requestTextOf(command) },
    }),
    request: {
      id: nextId(),
      messages: [{ topic: topics.executionRequests, key: runId, value, planOf: workflow.versionId }],
    },
  };
}

/** The same for requests that differ in the order of their fields only. */
function requestTextOf({ workflow, inputData, variables, communityId, metadata }: StartRunCommand): string {
  const request = { workflowId: workflow.id, inputData, variables, communityId, metadata };
  return JSON.stringify(request, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
