import type { AgentTask } from '../messages/messages.ts';
import type { AgentSpeed, AttemptCall } from '../persistence/agent-calls.ts';
import { AgentSpeeds } from './agent-speeds.ts';
import { callOneAgent, PUBLISH_RESERVE_MS, type ReadyTask, timeoutMsOf } from './call-one-agent.ts';
import { allDone, forEachAtOnce } from './concurrency.ts';
import { handOver } from './hand-over.ts';
import { MicroBatcher } from './micro-batcher.ts';
import type { Outbound } from './outbound.ts';
import { giveUpTask, loadCallsApart } from './poisoned-tasks.ts';
import type { AgentBridgePorts, Invocation } from './ports.ts';
import { type ResolvedAgent, resolveAgent } from './resolve-agent.ts';

/** The tasks of one invocation, and where what comes of them goes. */
export interface TaskBatch {
  readonly tasks: readonly AgentTask[];
  readonly invocation: Invocation;
  readonly outbound: Outbound;
  readonly mayHandOver: boolean;
  /** There is no such attempt of that run. */
  readonly onMissing: (task: AgentTask) => void;
}

/** Of a batch, so many agents are called at once: sockets and bodies of up to 256 KiB each. */
const MAX_CALLS_AT_ONCE = 128;
/** A step that may take longer is handed on unseen, however quick its agent is: it says itself that it is slow. */
const MAX_INLINE_TIMEOUT_MS = 60_000;

/*
 * An event source mapping hands a partition its batches one after another, so a batch waits for nobody but agents that are known to be
 * quick, and for those with short patience: one that has not answered by then hangs, its call is given up here and made again, with the
 * same key, by another invocation. Who is not known is handed on before it is called, so that no call is made twice to find out.
 */

/** Carries out batches of tasks: those of attempts that are still open, side by side. @throws the first error, at the end. */
export function createAgentWork(ports: AgentBridgePorts): (batch: TaskBatch) => Promise<void> {
  const speeds = new AgentSpeeds(ports.clock);
  const { invokeSelf } = ports;
  // A hint: what could not be told is measured again.
  const told = new MicroBatcher<AgentSpeed>(async (news) => {
    await Promise.resolve(ports.saveSpeeds(news)).catch((error: Error) =>
      ports.warn('Could not tell how quick agents are', { error: error.message }),
    );
  });

  return async (batch) => {
    const { tasks, outbound, onMissing } = batch;
    if (tasks.length === 0) return;
    const giveUp = (task: AgentTask, error: unknown) =>
      giveUpTask(task, error, { outbound, warn: ports.warn });
    const calls = await loadCallsApart(tasks, ports, giveUp);
    const ready: ReadyTask[] = [];
    const lookedUp: Promise<ReadyTask | null>[] = [];
    for (const [task, call] of calls) {
      try {
        if (call?.runId !== task.run_id) onMissing(task);
        else if (isOpen(call)) {
          const resolved = resolveAgent(call, ports);
          if (resolved instanceof Promise)
            lookedUp.push(
              resolved
                .then((agent) => readyTask(task, call, agent, outbound))
                .catch((error) => giveUp(task, error)),
            );
          else {
            const one = readyTask(task, call, resolved, outbound);
            if (one) ready.push(one);
          }
        }
      } catch (error) {
        giveUp(task, error);
      }
    }
    // Agents that are known do not wait for the registry's answer about others.
    const afterRegistry = async () =>
      work(
        (await Promise.all(lookedUp)).filter((one) => one !== null),
        batch,
      );
    await allDone([work(ready, batch), afterRegistry()]).finally(() => told.drain());
  };

  async function work(tasks: readonly ReadyTask[], batch: TaskBatch): Promise<void> {
    if (!batch.mayHandOver || invokeSelf === null) return callHere(tasks, batch);
    const isInline = ({ agent, timeoutMs }: ReadyTask) =>
      timeoutMs <= MAX_INLINE_TIMEOUT_MS && speeds.isQuick(agent);
    const { inline = [], handed = [] } = Object.groupBy(tasks, (task) =>
      isInline(task) ? 'inline' : 'handed',
    );
    const hand = async (some: readonly ReadyTask[]) =>
      callHere(await handOver(some, { ...ports, invokeSelf }), batch);
    const callInline = forEachAtOnce(MAX_CALLS_AT_ONCE, inline, async (task) => {
      const patienceMs = speeds.patienceMs(task.agent);
      // Whether there is time enough is known when its turn comes, and so is whether its agent has begun to hang.
      const mayWait =
        speeds.isQuick(task.agent) && patienceMs <= batch.invocation.remainingMs() - PUBLISH_RESERVE_MS;
      const isDone = mayWait && (await call(task, batch, patienceMs));
      if (!isDone) await hand([task]);
    });
    await allDone([hand(handed), callInline]);
  }

  function callHere(tasks: readonly ReadyTask[], batch: TaskBatch): Promise<void> {
    return forEachAtOnce(MAX_CALLS_AT_ONCE, tasks, async (task) => {
      await call(task, batch);
    });
  }

  /** @returns whether the task is dealt with. @throws OutOfTimeError */
  async function call(ready: ReadyTask, batch: TaskBatch, patienceMs?: number): Promise<boolean> {
    const measured = (durationMs: number, isGivenUp: boolean) => {
      const news = speeds.record(ready.agent, durationMs, { isGivenUp });
      if (news !== null) told.add(news);
    };
    try {
      return await callOneAgent(ready, batch, ports, measured, patienceMs);
    } catch (error) {
      giveUpTask(ready.task, error, { outbound: batch.outbound, warn: ports.warn });
      return true;
    }
  }

  function readyTask(
    task: AgentTask,
    attempt: AttemptCall,
    resolved: ResolvedAgent,
    outbound: Outbound,
  ): ReadyTask | null {
    if (!resolved.ok) {
      outbound.answer(task, resolved.failure);
      return null;
    }
    const { agent } = resolved;
    if (attempt.speed !== null) speeds.learn(agent, attempt.speed);
    return { task, agent, timeoutMs: timeoutMsOf(attempt, agent) };
  }
}

/** An agent that has accepted will call back; a closed attempt wants no answer. */
function isOpen({ runStatus, attemptStatus, accepted }: AttemptCall): boolean {
  return attemptStatus === 'RUNNING' && runStatus === 'RUNNING' && !accepted;
}
