import type { Agent } from '../../shared/agents/agent.ts';
import type { CallOutcome } from '../../shared/agents/call-outcome.ts';
import { type MskEvent, recordsOf } from '../../shared/kafka/msk-event.ts';
import { parseRecord } from '../../shared/kafka/parse-record.ts';
import { type AgentTask, agentTask } from '../../shared/messages/messages.ts';
import type { AttemptCall } from '../../shared/persistence/agent-calls.ts';
import { allDone } from './all-done.ts';
import { deadLetterOf } from './dead-letter.ts';
import { forEachAtOnce } from './for-each-at-once.ts';
import { handOver } from './hand-over.ts';
import { Outbound } from './outbound.ts';
import type { HttpBridgePorts, Invocation } from './ports.ts';
import { resolveAgent } from './resolve-agent.ts';
import { SlowAgents } from './slow-agents.ts';

/** Calls the HTTP agents that tasks ask for, and publishes what they answer (design §1, §4). */
export interface HttpBridge {
  /**
   * A batch of `orchestrator.tasks.http`. @throws when an answer could not be published or kept: the whole batch comes again,
   * and attempts that are settled by then are skipped. Agents are called at least once.
   */
  handleRecords(event: MskEvent, invocation: Invocation): Promise<void>;
  /** Tasks that an earlier invocation handed on. What fails here is repaired by the attempt's wake. */
  handleHanded(tasks: readonly AgentTask[], invocation: Invocation): Promise<void>;
}

/** Of a batch, so many agents are called at once: sockets and bodies of up to 256 KiB each. */
const MAX_CALLS_AT_ONCE = 128;
/** Where neither the step nor the agent says. */
const DEFAULT_TIMEOUT_MS = 60_000;
/** A step that may take longer is handed on unseen: its batch would hold back the tasks behind it for as long. */
const MAX_INLINE_TIMEOUT_MS = 60_000;
/** Kept of an invocation's time to publish what the last call answered. */
const PUBLISH_RESERVE_MS = 3_000;

/** An invocation came to its end before it could call every agent. */
export class OutOfTimeError extends Error {
  readonly code = 'OUT_OF_TIME';
}

/** A task with the agent that is to be called for it. */
interface ReadyTask {
  readonly task: AgentTask;
  readonly agent: Agent;
  readonly timeoutMs: number;
}

export function createHttpBridge(ports: HttpBridgePorts): HttpBridge {
  const slowAgents = new SlowAgents(ports.clock);

  return {
    async handleRecords(event, invocation) {
      const outbound = new Outbound(ports, invocation);
      const tasks = new Map<string, AgentTask>();
      const refuse = new Map<string, (reason: string) => void>();
      for (const record of recordsOf(event)) {
        const deadLetter = (reason: string) =>
          outbound.publish(deadLetterOf(ports.topics.deadLetter, record, reason, ports.clock()));
        const parsed = parseRecord(agentTask, record);
        if (!parsed.ok) {
          deadLetter(parsed.reason);
        } else if (!isAuthentic(parsed.message)) {
          deadLetter('result_token: expected the token of this step_execution_id');
        } else {
          // A task that was published twice is carried out once.
          tasks.set(parsed.message.step_execution_id, parsed.message);
          refuse.set(parsed.message.step_execution_id, deadLetter);
        }
      }
      const onMissing = ({ step_execution_id }: AgentTask) =>
        refuse.get(step_execution_id)!('step_execution_id: no such attempt of this run');
      const work = carryOut([...tasks.values()], invocation, outbound, { mayHandOver: true, onMissing });
      // What was answered is handed on whatever went wrong beside it.
      await work.finally(() => outbound.drain());
    },

    async handleHanded(tasks, invocation) {
      const outbound = new Outbound(ports, invocation);
      const onMissing = ({ run_id, step_execution_id }: AgentTask) =>
        ports.warn('A handed task names no attempt', { run_id, step_execution_id });
      const work = carryOut(tasks.filter(isAuthentic), invocation, outbound, {
        mayHandOver: false,
        onMissing,
      });
      await work.finally(() => outbound.drain());
    },
  };

  function isAuthentic({ step_execution_id, result_token }: AgentTask): boolean {
    return ports.tokens.verifyResultToken(step_execution_id, result_token);
  }

  async function carryOut(
    tasks: readonly AgentTask[],
    invocation: Invocation,
    outbound: Outbound,
    { mayHandOver, onMissing }: { mayHandOver: boolean; onMissing: (task: AgentTask) => void },
  ): Promise<void> {
    const calls =
      tasks.length === 0 ? new Map() : await ports.loadCalls(tasks.map((task) => task.step_execution_id));
    const ready: ReadyTask[] = [];
    const waiting: Promise<ReadyTask | null>[] = [];
    for (const task of tasks) {
      const call = calls.get(task.step_execution_id);
      if (!call || call.runId !== task.run_id) onMissing(task);
      else if (isOpen(call)) {
        const prepared = prepare(task, call, outbound);
        if (prepared instanceof Promise) waiting.push(prepared);
        else if (prepared) ready.push(prepared);
      }
    }
    const work = (tasksNow: ReadyTask[]) => callOrHandOver(tasksNow, invocation, outbound, mayHandOver);
    // Agents that are known do not wait for the registry's answer about others.
    const afterRegistry = Promise.all(waiting).then((prepared) =>
      work(prepared.filter((one) => one !== null)),
    );
    await allDone([work(ready), afterRegistry]);
  }

  function prepare(
    task: AgentTask,
    call: AttemptCall,
    outbound: Outbound,
  ): ReadyTask | null | Promise<ReadyTask | null> {
    const resolved = resolveAgent(call, ports);
    const settle = (result: Awaited<typeof resolved>): ReadyTask | null => {
      if (result.ok) {
        const { agent } = result;
        const agentTimeoutMs = agent.timeoutSeconds === null ? null : agent.timeoutSeconds * 1000;
        return { task, agent, timeoutMs: call.timeoutMs ?? agentTimeoutMs ?? DEFAULT_TIMEOUT_MS };
      }
      outbound.answer(task, result.failure);
      return null;
    };
    return resolved instanceof Promise ? resolved.then(settle) : settle(resolved);
  }

  async function callOrHandOver(
    tasks: readonly ReadyTask[],
    invocation: Invocation,
    outbound: Outbound,
    mayHandOver: boolean,
  ): Promise<void> {
    const { invokeSelf } = ports;
    if (!mayHandOver || invokeSelf === null) {
      return forEachAtOnce(MAX_CALLS_AT_ONCE, tasks, (task) => callNow(task, invocation, outbound));
    }
    const hand = async (some: readonly ReadyTask[]) => {
      const kept = await handOver(some, { ...ports, invokeSelf });
      await forEachAtOnce(MAX_CALLS_AT_ONCE, kept, (task) => callNow(task, invocation, outbound));
    };
    const takesLong = ({ agent, timeoutMs }: ReadyTask) =>
      timeoutMs > MAX_INLINE_TIMEOUT_MS || slowAgents.isSlow(agent.address);
    const long = tasks.filter(takesLong);
    const quick = tasks.filter((task) => !takesLong(task));
    await allDone([
      hand(long),
      forEachAtOnce(MAX_CALLS_AT_ONCE, quick, (task) => {
        // Whether there is time enough is known when its turn comes.
        const fits = task.timeoutMs <= invocation.remainingMs() - PUBLISH_RESERVE_MS;
        return fits ? callNow(task, invocation, outbound) : hand([task]);
      }),
    ]);
  }

  async function callNow(ready: ReadyTask, invocation: Invocation, outbound: Outbound): Promise<void> {
    const { task, agent, timeoutMs } = ready;
    const availableMs = Math.floor(invocation.remainingMs() - PUBLISH_RESERVE_MS);
    if (availableMs <= 0) {
      throw new OutOfTimeError(
        `No time left to call the agent of ${task.step_execution_id}. Give the function more time.`,
      );
    }
    const isCutShort = availableMs < timeoutMs;
    const startedAt = ports.clock();
    const outcome: CallOutcome = await ports.callAgent({
      url: agent.address,
      secret: agent.secret,
      timeoutMs: isCutShort ? availableMs : timeoutMs,
      timeoutMessage: isCutShort ? cutShortMessage(timeoutMs, availableMs) : undefined,
      idempotencyKey: task.idempotency_key,
      body: {
        run_id: task.run_id,
        step_execution_id: task.step_execution_id,
        step_id: task.step_id,
        attempt: task.attempt,
        input_data: task.input_data,
        callback_url: callbackUrl(task.step_execution_id),
      },
    });
    const elapsedMs = ports.clock() - startedAt;
    slowAgents.record(agent.address, elapsedMs);
    if (outcome.status === 'accepted') outbound.accepted(task, Math.max(timeoutMs - elapsedMs, 0));
    else outbound.answer(task, outcome);
  }

  function callbackUrl(stepExecutionId: string): string {
    const id = encodeURIComponent(stepExecutionId);
    return `${ports.publicUrl}/api/v1/callbacks/${id}/${ports.tokens.callbackToken(stepExecutionId)}`;
  }
}

/** An agent that has accepted will call back; a closed attempt wants no answer. */
function isOpen({ runStatus, attemptStatus, accepted }: AttemptCall): boolean {
  return attemptStatus === 'RUNNING' && runStatus === 'RUNNING' && !accepted;
}

function cutShortMessage(timeoutMs: number, availableMs: number): string {
  return (
    `The agent did not answer within ${availableMs} ms. The step allows ${timeoutMs} ms, but a function cannot wait that long: ` +
    'answer 202 and use the callback_url.'
  );
}
