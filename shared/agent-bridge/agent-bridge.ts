import { type MskEvent, type MskRecord, recordsOf } from '../kafka/msk-event.ts';
import { parseRecord } from '../kafka/parse-record.ts';
import { type AgentTask, agentTask } from '../messages/messages.ts';
import { createAgentWork } from './agent-work.ts';
import { Outbound } from './outbound.ts';
import type { AgentBridgePorts, Invocation } from './ports.ts';

/** Calls the agents that tasks ask for, and publishes what they answer (design §1, §4). What is said here holds for every kind. */
export interface AgentBridge {
  /**
   * A batch of its topic's tasks. @throws when an answer could not be published or kept: the whole batch comes again,
   * and attempts that are settled by then are skipped. Agents are called at least once.
   */
  handleRecords(event: MskEvent, invocation: Invocation): Promise<void>;
  /** Tasks that an earlier invocation handed on. What fails here is repaired by the attempt's wake. */
  handleHanded(tasks: readonly AgentTask[], invocation: Invocation): Promise<void>;
}

export function createAgentBridge(ports: AgentBridgePorts): AgentBridge {
  const carryOut = createAgentWork(ports);
  const isAuthentic = ({ step_execution_id, result_token }: AgentTask) =>
    ports.tokens.verifyResultToken(step_execution_id, result_token);

  return {
    async handleRecords(event, invocation) {
      const outbound = new Outbound(ports, invocation);
      const refuse = (record: MskRecord, reason: string) => outbound.refuse(record, reason);
      const tasks = new Map<string, { task: AgentTask; record: MskRecord }>();
      for (const record of recordsOf(event)) {
        const parsed = parseRecord(agentTask, record);
        if (!parsed.ok) refuse(record, parsed.reason);
        else if (!isAuthentic(parsed.message)) {
          refuse(record, 'result_token: expected the token of this step_execution_id');
        } else {
          // A task that was published twice is carried out once.
          tasks.set(parsed.message.step_execution_id, { task: parsed.message, record });
        }
      }
      const work = carryOut({
        tasks: [...tasks.values()].map(({ task }) => task),
        invocation,
        outbound,
        mayHandOver: true,
        onMissing: ({ step_execution_id }) =>
          refuse(tasks.get(step_execution_id)!.record, 'step_execution_id: no such attempt of this run'),
      });
      // What was answered is handed on whatever went wrong beside it.
      await work.finally(() => outbound.drain());
    },

    async handleHanded(tasks, invocation) {
      const outbound = new Outbound(ports, invocation);
      const work = carryOut({
        tasks: tasks.filter(isAuthentic),
        invocation,
        outbound,
        mayHandOver: false,
        onMissing: ({ run_id, step_execution_id }) =>
          ports.warn('A handed task names no attempt', { run_id, step_execution_id }),
      });
      await work.finally(() => outbound.drain());
    },
  };
}
