import type { Topics } from '../config/topics.ts';
import type { PlanDefaults } from '../definition/compile-plan.ts';
import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { Json, JsonObject } from '../engine/json.ts';
import type { ExecutionRequest } from '../messages/messages.ts';
import type { AuditEntry } from './audit.ts';
import { withPlans, workflowIdOf } from './plan-messages.ts';
import type { Clock, OutboxEntry } from './ports.ts';
import type { PublishEntries } from './publish-entries.ts';

export interface StartRunCommand {
  readonly owner: string;
  readonly triggeredBy: string;
  readonly workflow: {
    readonly id: string;
    readonly name: string;
    readonly version: number;
    readonly versionId: string;
    readonly definition: WorkflowDefinition;
  };
  readonly inputData: Json | undefined;
  readonly variables: JsonObject | undefined;
  readonly communityId: number | null;
  readonly metadata: JsonObject | null;
  readonly idempotency?: IdempotencyClaim;
  /** Written with the run; absent where nobody called. */
  readonly audit?: AuditEntry;
}

/** A caller's `Idempotency-Key`, and what they ask for under it. */
export interface IdempotencyClaim {
  readonly userId: string;
  readonly key: string;
  readonly requestHash: Buffer;
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
}

export interface EarlierRun extends StartedRun {
  readonly requestHash: Buffer;
}

export class IdempotencyKeyReusedError extends Error {
  readonly code = 'IDEMPOTENCY_KEY_REUSED';
}

export interface NewRuns {
  /**
   * The run and its outbox row, in one transaction. Null when they are inserted; where the run claims an idempotency key that the
   * caller has used before, the run that came of it, and nothing is inserted.
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

/** @throws IdempotencyKeyReusedError where the caller has asked for something else under the same key. */
export type StartRun = (command: StartRunCommand) => Promise<StartedRun>;

/**
 * Acknowledges a run: from its commit on it is never lost. Publishing is bounded to about a second; a run whose request could
 * not be published stays PENDING with `error_message`, and begins when the timekeeper has published it.
 */
export function createStartRun(deps: StartRunDeps): StartRun {
  return async (command) => {
    const run = newRun(deps, command);
    const earlier = await deps.runs.insert(run);
    if (earlier) return repeated(run, earlier);
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
function repeated({ idempotency }: NewRun, { requestHash, ...started }: EarlierRun): StartedRun {
  if (idempotency?.requestHash.equals(requestHash)) return { ...started, isRepeat: true };
  throw new IdempotencyKeyReusedError('Use a new Idempotency-Key: this one came with another request before');
}

function newRun({ topics, clock, nextId, planDefaults }: StartRunDeps, command: StartRunCommand): NewRun {
  const { workflow, ...given } = command;
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
    request: {
      id: nextId(),
      messages: [{ topic: topics.executionRequests, key: runId, value, planOf: workflow.versionId }],
    },
  };
}
