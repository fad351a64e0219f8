import type { AgentTask } from '../messages/messages.ts';
import type { AttemptCall } from '../persistence/agent-calls.ts';
import { allDone } from './all-done.ts';
import { callOneAgent, PUBLISH_RESERVE_MS, type ReadyTask, timeoutMsOf } from './call-one-agent.ts';
import { forEachAtOnce } from './for-each-at-once.ts';
import { handOver } from './hand-over.ts';
import type { Outbound } from './outbound.ts';
import { giveUpTask, loadCallsApart } from './poisoned-tasks.ts';
import type { AgentBridgePorts, Invocation } from './ports.ts';
import { type ResolvedAgent, resolveAgent } from './resolve-agent.ts';
import { SlowAgents } from './slow-agents.ts';

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
/** A step that may take longer is handed on unseen: its batch would hold back the tasks behind it for as long. */
const MAX_INLINE_TIMEOUT_MS = 60_000;
/**
 * An agent that is known to be quick and has not answered after so long hangs: its call is given up here and made again, with the same
 * key, by another invocation. Of an agent that is not known yet nobody can tell, and a call that would only have taken its time is not
 * made twice: it has all of it, a minute at most.
 */
const PATIENCE_WITH_QUICK_AGENTS_MS = 10_000;

/** Carries out batches of tasks: those of attempts that are still open, side by side. @throws the first error, at the end. */
export function createAgentWork(ports: AgentBridgePorts): (batch: TaskBatch) => Promise<void> {
  const slowAgents = new SlowAgents(ports.clock);
  const { invokeSelf } = ports;

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
    await allDone([work(ready, batch), afterRegistry()]);
  };

  async function work(tasks: readonly ReadyTask[], batch: TaskBatch): Promise<void> {
    if (!batch.mayHandOver || invokeSelf === null) return callHere(tasks, batch);
    const isLong = ({ agent, timeoutMs }: ReadyTask) =>
      timeoutMs > MAX_INLINE_TIMEOUT_MS || slowAgents.isSlow(agent.address);
    const { long = [], quick = [] } = Object.groupBy(tasks, (task) => (isLong(task) ? 'long' : 'quick'));
    const hand = async (some: readonly ReadyTask[]) =>
      callHere(await handOver(some, { ...ports, invokeSelf }), batch);
    const callQuick = forEachAtOnce(MAX_CALLS_AT_ONCE, quick, async (task) => {
      // Whether there is time enough is known when its turn comes.
      const fits = task.timeoutMs <= batch.invocation.remainingMs() - PUBLISH_RESERVE_MS;
      const patienceMs = slowAgents.isQuick(task.agent.address) ? PATIENCE_WITH_QUICK_AGENTS_MS : undefined;
      const isDone = fits && (await call(task, batch, patienceMs));
      if (!isDone) await hand([task]);
    });
    await allDone([hand(long), callQuick]);
  }

  function callHere(tasks: readonly ReadyTask[], batch: TaskBatch): Promise<void> {
    return forEachAtOnce(MAX_CALLS_AT_ONCE, tasks, async (task) => {
      await call(task, batch);
    });
  }

  /** @returns whether the task is dealt with. @throws OutOfTimeError */
  async function call(ready: ReadyTask, batch: TaskBatch, patienceMs?: number): Promise<boolean> {
    try {
      return await callOneAgent(ready, batch, ports, slowAgents, patienceMs);
    } catch (error) {
      giveUpTask(ready.task, error, { outbound: batch.outbound, warn: ports.warn });
      return true;
    }
  }
}

/** An agent that has accepted will call back; a closed attempt wants no answer. */
function isOpen({ runStatus, attemptStatus, accepted }: AttemptCall): boolean {
  return attemptStatus === 'RUNNING' && runStatus === 'RUNNING' && !accepted;
}

function readyTask(
  task: AgentTask,
  call: AttemptCall,
  resolved: ResolvedAgent,
  outbound: Outbound,
): ReadyTask | null {
  if (resolved.ok) return { task, agent: resolved.agent, timeoutMs: timeoutMsOf(call, resolved.agent) };
  outbound.answer(task, resolved.failure);
  return null;
}
