import type { CallOutcome } from '../agents/call-outcome.ts';
import type { AgentError, AgentResult, AgentTask } from '../messages/messages.ts';

export type AnsweredCall = Extract<CallOutcome, { status: 'completed' | 'failed' }>;

/** What `results.topic` is told of a call, whoever made it. @param now epoch milliseconds */
export function resultOf(task: AgentTask, outcome: AnsweredCall, now: number) {
  const settled =
    outcome.status === 'completed' ? { output_data: outcome.output } : { error: jsonOf(outcome.error) };
  return {
    message_type: 'agent_result',
    run_id: task.run_id,
    step_execution_id: task.step_execution_id,
    attempt: task.attempt,
    status: outcome.status,
    ...settled,
    ...(outcome.logs && { logs: [...outcome.logs] }),
    result_token: task.result_token,
    timestamp: new Date(now).toISOString(),
  } satisfies AgentResult;
}

function jsonOf({ retry_after_ms, ...error }: AgentError) {
  return { ...error, ...(retry_after_ms !== undefined && { retry_after_ms }) };
}
