import { pendingRun } from '../../shared/application/pending-run.ts';
import { parseDefinition } from '../../shared/definition/parse-definition.ts';
import type { WorkflowDefinition } from '../../shared/definition/workflow-definition.ts';
import type { AgentOutcome } from '../../shared/engine/event.ts';
import type { JsonObject } from '../../shared/engine/json.ts';
import { isOpenAttempt, isOpenRun, type Run } from '../../shared/engine/state.ts';
import type { AgentTask } from '../../shared/messages/messages.ts';
import type { Agents } from './bridge-model.ts';
import { POISONS } from './poisons.ts';
import { topics } from './topics.ts';
import {
  answerTo,
  drawWorkflow,
  type FaultFreeRun,
  faultFree,
  reordered,
  type WorkflowModel,
} from './workflow-model.ts';
import { AUDIT, type World } from './world.ts';

const LEASE_MS = 60_000;

export interface SimulatedRun {
  readonly runId: string;
  /** As its version has it. */
  workflow: WorkflowModel;
  faultFree: FaultFreeRun;
  /** It went on with its steps in another order. */
  isReordered: boolean;
  readonly n: number;
  /** By step. */
  readonly keys: Map<string, string>;
  /** The agent of its broken step works from now on. */
  isHealed: boolean;
  /** What a user last asked for, and was granted or may yet be. */
  lastCommand: 'cancel' | 'cancel by record' | 'retry' | null;
}

/** Runs of sequences of agents, from definitions as users and other producers bring them, and who asks for them. */
export class Sequences implements Agents {
  readonly slowestMs = 7_200_000;
  readonly silent = 0.2;
  readonly #runs = new Map<string, SimulatedRun>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** @param runId that one */
  anyRun(runId?: string): SimulatedRun {
    return this.#runs.get(runId ?? '') ?? this.#world.random.pick([...this.#runs.values()]);
  }

  async start(): Promise<void> {
    const { random, startRun, store } = this.#world;
    const workflow = drawWorkflow(random, `w${this.#runs.size}`);
    const n = random.int(1_000);
    const versionId = `version-${this.#runs.size}`;
    const definition = definitionOf(workflow.definition);
    store.addVersion(versionId, definition);
    const { runId } = await startRun({
      owner: 'ann',
      triggeredBy: 'ann',
      workflow: { id: 'w', name: definition.name, version: 1, versionId, definition },
      inputData: { n },
      variables: undefined,
      communityId: null,
      metadata: null,
    });
    this.#add(runId, workflow, n);
  }

  /** Another producer's: a row without a plan, and its execution request with one. */
  async startForeign(): Promise<void> {
    const { broker, random, store } = this.#world;
    if (broker.isAway) return;
    const workflow = drawWorkflow(random, `w${this.#runs.size}`);
    const n = random.int(1_000);
    const runId = `run-${this.#world.id()}`;
    store.runs.set(runId, {
      run: { ...pendingRun(runId), wakeAt: this.#world.now + LEASE_MS },
      versionId: null,
      owner: null,
      workflowId: 'wf-theirs-1',
      inputData: { n },
      variables: null,
    });
    this.#add(runId, workflow, n);
    const value = {
      message_type: 'execution_request',
      run_id: runId,
      workflow_plan: { workflow_id: 'wf-theirs-1', version: '1', ...workflow.definition },
      timestamp: this.#timestamp(),
    };
    const request = { topic: topics.executionRequests, key: runId, value: value as unknown as JsonObject };
    // Theirs to publish until it is published.
    const publish = async () => {
      try {
        broker.publish([request]);
      } catch {
        this.#world.later(1_000, publish);
      }
    };
    await publish();
  }

  /** By the API: decided in its own transaction. */
  async cancel(about?: string): Promise<void> {
    const run = this.anyRun(about);
    const { runId } = run;
    this.#world.cancellable.add(runId);
    const changed = await this.#world.callInPeace(runId, (changeRun) =>
      changeRun.change(runId, { type: 'cancellation_requested', by: 'ann', reason: null }, AUDIT),
    );
    if (changed.ok && run.lastCommand !== 'cancel by record') run.lastCommand = 'cancel';
    this.#world.say(`cancelled: ${JSON.stringify(changed)}`, [runId]);
  }

  /** By another producer's record, which has no token: of a run of theirs, or of one that they have no business with. */
  async cancelByRecord(about?: string): Promise<void> {
    const run = this.anyRun(about);
    const isTheirs = this.#world.store.runs.get(run.runId)!.owner === null;
    const value = {
      message_type: 'cancellation_request',
      run_id: run.runId,
      cancelled_by: 'them',
      reason: null,
      timestamp: this.#timestamp(),
    };
    try {
      // Their clock is not ours: whether it was asked for before a retry cannot always be told.
      if (isTheirs) run.lastCommand = 'cancel by record';
      if (isTheirs) this.#world.cancelledElsewhere.add(run.runId);
      this.#world.broker.publish([{ topic: topics.cancellationRequests, key: run.runId, value }]);
    } catch {
      // They may ask again.
    }
  }

  /** Somebody who may write to the topic says that it is later than it is. */
  async forgeWake(about?: string): Promise<void> {
    const { runId } = this.anyRun(about);
    const open = this.#world.store.attemptsOf(runId).filter(isOpenAttempt);
    const step_execution_id = this.#world.random.pick([null, ...open.map(({ stepExecutionId: id }) => id)]);
    const timestamp = new Date(this.#world.now + 86_400_000).toISOString();
    const value = { message_type: 'wake', run_id: runId, step_execution_id, timestamp };
    try {
      this.#world.broker.publish([{ topic: topics.stepRequests, key: runId, value }]);
    } catch {
      // They may try again.
    }
  }

  async retryOne(about?: string): Promise<void> {
    const run = this.anyRun(about);
    const { runId } = run;
    if (isOpenRun(this.#world.store.runs.get(runId)!.run)) return;
    run.isHealed = true;
    this.#world.retried.add(runId);
    this.#world.poisons.heal(runId);
    const other = run.workflow.isFree && this.#world.random.chance(0.5) ? this.#otherVersion(run) : null;
    const changed = await this.#world.callInPeace(runId, (changeRun) =>
      changeRun.change(runId, { type: 'retry_requested' }, AUDIT, other?.version),
    );
    if (changed.ok && other) {
      this.#world.count('went on in another order');
      run.isReordered = true;
      run.workflow = other.workflow;
      run.faultFree = faultFree(other.workflow, run.n);
    }
    if (changed.ok && run.lastCommand !== 'cancel by record') run.lastCommand = 'retry';
    this.#world.say(`retried: ${JSON.stringify(changed)}`, [runId]);
  }

  answer({
    run_id: runId,
    step_id: stepId,
    input_data: input,
    idempotency_key: key,
  }: AgentTask): AgentOutcome {
    const run = this.#runs.get(runId)!;
    const expected = run.faultFree.inputs.get(stepId);
    if (JSON.stringify(input) !== JSON.stringify(expected))
      throw new Error(`I3: ${runId} asks ${stepId} for ${JSON.stringify(input)}`);
    // The input is what it always is, and so is the key.
    const expectedKey = run.keys.get(stepId) ?? key;
    run.keys.set(stepId, expectedKey);
    if (!run.isReordered && (key !== expectedKey || !key.startsWith(`${runId}:${stepId}:1:`)))
      throw new Error(`I6: the key is ${key}`);
    if (stepId === run.workflow.brokenStep && !run.isHealed)
      return { status: 'failed', error: { code: 'BROKEN', message: 'never', retryable: false } };
    if (this.#world.chance(0.15)) {
      const error = { code: 'BUSY', message: 'later', retryable: true };
      const retryAfterMs = this.#world.random.int(20_000);
      const isTold = this.#world.random.chance(0.5);
      return { status: 'failed', error: isTold ? { ...error, retryAfterMs } : error };
    }
    return { status: 'completed', output: answerTo(input as JsonObject) };
  }

  checkOutcomes(): void {
    for (const run of this.#runs.values()) this.#checkOutcome(run);
  }

  #checkOutcome({ runId, workflow, faultFree, isHealed, isReordered, lastCommand }: SimulatedRun): void {
    const { store } = this.#world;
    const { run } = store.runs.get(runId)!;
    const attempts = store.attemptsOf(runId);
    const completed = attempts.filter(({ status }) => status === 'COMPLETED').map(({ stepId }) => stepId);
    if (!isReordered && completed.join() !== workflow.stepIds.slice(0, completed.length).join())
      throw new Error(`I2: ${runId} completed ${completed.join()}`);
    if (run.status === 'COMPLETED') {
      if (JSON.stringify(run.outputData) !== JSON.stringify(faultFree.output))
        throw new Error(`I6: ${runId} came to ${JSON.stringify(run.outputData)}`);
      if (!isReordered && completed.length !== workflow.stepIds.length)
        throw new Error(`I6: ${runId} left out steps`);
      if (workflow.brokenStep !== null && !isHealed) throw new Error(`I6: ${runId} passed its broken step`);
    }
    if (run.status === 'FAILED' && !this.#mayHaveFailed(workflow, run))
      throw new Error(`I6: ${runId} failed with ${JSON.stringify(run.error)}`);
    if (run.status === 'CANCELLED' && !lastCommand?.startsWith('cancel'))
      throw new Error(`I4: ${runId} is cancelled, and was retried since`);
  }

  /** Its broken step, a topic that was away, or what cannot be saved: that with the code of its class. */
  #mayHaveFailed({ brokenStep }: WorkflowModel, { runId, error }: Run): boolean {
    if (error?.code === 'BROKEN') return error.stepId === brokenStep;
    // Its topic was away for as long as a task waits for it.
    if (error?.code === 'AGENT_TOPIC_NOT_FOUND') return this.#world.met.has('topic away');
    const poison = this.#world.poisons.get(runId);
    if (poison === undefined) return false;
    return poison.code === 'VALUE_REFUSED'
      ? error?.code === 'UNSTORABLE' && error.stepId === poison.stepId
      : error?.code === 'INTERNAL_ERROR' && error.stepId === null;
  }

  #otherVersion({ workflow }: SimulatedRun) {
    const { random, store } = this.#world;
    const other = reordered(workflow, random);
    const versionId = `version-of-${this.#world.id()}`;
    store.addVersion(versionId, definitionOf(other.definition), 2);
    return { workflow: other, version: { versionId, number: 2, workflowId: 'wf-w-2' } };
  }

  #add(runId: string, workflow: WorkflowModel, n: number): void {
    const given = { workflow, faultFree: faultFree(workflow, n), n, keys: new Map<string, string>() };
    const run = { runId, ...given, isReordered: false, isHealed: false, lastCommand: null };
    const { poisons, random } = this.#world;
    if (random.chance(0.1))
      poisons.add(runId, { stepId: random.pick(workflow.stepIds), code: random.pick(POISONS) });
    this.#runs.set(runId, run);
    this.#world.say(`started: ${workflow.stepIds.length} steps, broken: ${workflow.brokenStep}`, [runId]);
  }

  #timestamp(): string {
    return new Date(this.#world.now).toISOString();
  }
}

function definitionOf(input: object): WorkflowDefinition {
  const parsed = parseDefinition(input);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.definition;
}
