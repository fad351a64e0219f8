import { decideLoading } from '../../engine/decide.ts';
import type { Draws } from '../../engine/draft.ts';
import type { Effect } from '../../engine/effects.ts';
import type { EngineEvent } from '../../engine/event.ts';
import type { Plan } from '../../engine/plan.ts';
import { type Attempt, isOpenRun } from '../../engine/state.ts';
import type { Clock } from '../ports/publishing.ts';
import type { MockedAnswer, MockedCall, OutputSource } from './mocked-agents.ts';
import { RunMemory, type RunStart } from './run-memory.ts';

/** What a run is driven with. */
export interface DryWorld {
  readonly answer: (task: MockedCall) => MockedAnswer;
  readonly hasMock: (stepId: string) => boolean;
  readonly draws: Draws;
  /** The real one: where the virtual one begins, and what the time limit is measured by. */
  readonly clock: Clock;
  readonly limits: DryRunLimits;
}

export interface DryRunLimits {
  /** Attempts of steps. */
  readonly maxSteps: number;
  /** Of real time. */
  readonly maxTimeMs: number;
  /** JSON text of all inputs and outputs, in characters. */
  readonly maxDataLength: number;
}

/** `nothing_due`: the run waits for what never comes in a dry run. */
export type GivenUp = 'step_limit' | 'time_limit' | 'data_limit' | 'nothing_due';

export type DrivenRun =
  | {
      readonly ok: true;
      readonly memory: RunMemory;
      /** By `step_execution_id`. */
      readonly sources: ReadonlyMap<string, OutputSource>;
    }
  | { readonly ok: false; readonly reason: GivenUp };

/**
 * Walks a run to its end as Kafka, the bridges and the timekeeper would, in memory: each effect comes back as the event that it
 * leads to, and when there are none, the clock goes on to the next time that somebody waits for. So waiting takes no time. A child
 * run is stood for by its step's mock like an agent, and so is a signal: one that has a mock comes at once, any other when nothing
 * else would ever happen.
 */
export function driveRun(plan: Plan, start: RunStart, world: DryWorld): DrivenRun {
  const { clock, limits, draws } = world;
  const memory = new RunMemory(plan, start);
  const sources = new Map<string, OutputSource>();
  const answered = (stepExecutionId: string, attempt: number | null, task: MockedCall): EngineEvent => {
    const { outcome, logs, source } = world.answer(task);
    sources.set(stepExecutionId, source);
    return { type: 'agent_answered', stepExecutionId, attempt, outcome, logs };
  };
  /** Null: nobody waits for a signal that may come. */
  const signal = (isDue: (attempt: Attempt) => boolean): EngineEvent | null => {
    const waiting = memory.waitingForSignals.find(isDue);
    if (waiting === undefined || waiting.signalName === null) return null;
    const { stepExecutionId, stepId, signalName: name, inputData } = waiting;
    const { outcome, source } = world.answer({ stepId, inputData, agentName: null });
    sources.set(stepExecutionId, source);
    const payload = outcome.status === 'completed' ? outcome.output : null;
    return { type: 'signal_received', name, signalId: draws.id(), payload };
  };
  const carryOut = (effect: Effect): EngineEvent | null => {
    switch (effect.type) {
      case 'dispatch_task': {
        const { stepExecutionId, attempt } = effect;
        return answered(stepExecutionId, attempt, effect);
      }
      case 'start_child': {
        const { parentStepExecutionId: id, inputData } = effect;
        const stepId = id === null ? undefined : memory.attempt(id)?.stepId;
        return id === null || stepId === undefined
          ? null
          : answered(id, null, { stepId, inputData, agentName: null });
      }
      case 'request_step':
        return { type: 'step_requested', stepExecutionId: effect.stepExecutionId };
      case 'announce_cancellation':
      case 'cancel_child':
      case 'retry_child':
      case 'ask_child':
      case 'answer_parent':
      case 'publish_update':
        return null;
    }
  };

  const begunAt = clock.now();
  let now = begunAt;
  const pending: EngineEvent[] = [{ type: 'execution_requested' }];
  while (isOpenRun(memory.run)) {
    if (memory.attemptCount > limits.maxSteps) return { ok: false, reason: 'step_limit' };
    if (memory.dataLength > limits.maxDataLength) return { ok: false, reason: 'data_limit' };
    if (clock.now() - begunAt > limits.maxTimeMs) return { ok: false, reason: 'time_limit' };
    let event = pending.shift() ?? signal(({ stepId }) => world.hasMock(stepId));
    if (event === null) {
      const wake = memory.nextWake();
      if (wake !== null) {
        now = Math.max(now, wake.at);
        event = { type: 'woken', stepExecutionId: wake.stepExecutionId, at: now };
      } else {
        event = signal(() => true);
        if (event === null) return { ok: false, reason: 'nothing_due' };
      }
    }
    const asked = event;
    const decision = decideLoading(plan, (lacking) => memory.stateFor(asked, lacking), event, now, draws);
    if (!decision.ok) {
      // An event may come too late here too; a wake that changes nothing would come again for ever.
      if (event.type === 'woken') return { ok: false, reason: 'nothing_due' };
      continue;
    }
    memory.keep(decision.state);
    for (const effect of decision.effects) {
      const next = carryOut(effect);
      if (next !== null) pending.push(next);
    }
  }
  return { ok: true, memory, sources };
}
