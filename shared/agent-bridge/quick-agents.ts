import type { Agent } from '../agents/agent.ts';
import type { Called, QuickAgents } from '../application/carry-out.ts';
import type { AgentRoute } from '../application/ports/agents.ts';
import type { AgentTask } from '../messages/messages.ts';
import type { AgentCalls, AgentSpeed } from '../persistence/agent-calls.ts';
import { resultOf } from './agent-result.ts';
import { AgentSpeeds } from './agent-speeds.ts';
import { callOneAgent, timeoutMsOf } from './call-one-agent.ts';
import { MicroBatcher } from './micro-batcher.ts';
import type { AgentBridgePorts } from './ports.ts';
import { resolveAgent } from './resolve-agent.ts';

export interface QuickAgentsDeps
  extends Pick<
      AgentBridgePorts,
      'callAgent' | 'checkAddress' | 'readSecret' | 'tokens' | 'publicUrl' | 'clock' | 'warn'
    >,
    Pick<AgentCalls, 'saveSpeeds' | 'extendDeadlines'> {
  /** Agents that usually answer within so long are quick. */
  readonly quickMs: number;
}

/** HTTP agents, called as the bridge calls them; how quick they are, the bridge and this tell each other by the database. */
export function createQuickAgents(deps: QuickAgentsDeps): QuickAgents {
  const { quickMs, clock, warn } = deps;
  const speeds = new AgentSpeeds(clock);
  // A hint: what could not be told is measured again.
  const told = new MicroBatcher<AgentSpeed>(async (news) => {
    await Promise.resolve(deps.saveSpeeds(news)).catch((error: Error) =>
      warn('Could not tell how quick agents are', { error: error.message }),
    );
  });

  /** Null: it is not quick, or cannot be called, which the bridge tells the run. */
  function maybeFindAgent(name: string, route: AgentRoute): Agent | null {
    const { kind, address, calling } = route;
    if (kind !== 'http' || calling === undefined) return null;
    const identity = { name, address, owner: calling.owner };
    if (calling.speed !== null) speeds.learn(identity, calling.speed);
    if (!speeds.answersWithin(identity, quickMs)) return null;
    const call = { agentName: name, agent: { ...calling, ...route } };
    const resolved = resolveAgent(call, { ...deps, kind: 'http', lookupRegistry: null });
    return 'ok' in resolved && resolved.ok ? resolved.agent : null;
  }

  return {
    maybeFindCall(message, { name, timeoutMs = null }, route) {
      const agent = maybeFindAgent(name, route);
      if (agent === null) return null;
      const task = message.value as AgentTask;
      return async (patienceMs, invocation) => {
        let called: Called = { status: 'given_up' };
        const outbound: Parameters<typeof callOneAgent>[1]['outbound'] = {
          answer(_, outcome) {
            called = { status: 'answered', answer: resultOf(task, outcome, clock()) };
          },
          accepted({ run_id: runId, step_execution_id: stepExecutionId }, deadlineInMs) {
            called = { status: 'accepted', accepted: { runId, stepExecutionId, deadlineInMs } };
          },
        };
        const measured = (durationMs: number, isGivenUp: boolean) => {
          const news = speeds.record(agent, durationMs, { isGivenUp });
          if (news !== null) told.add(news);
        };
        const ready = { task, agent, timeoutMs: timeoutMsOf({ timeoutMs }, agent) };
        try {
          await callOneAgent(ready, { invocation, outbound }, deps, measured, patienceMs);
          // Where the bridge is told of the task, it is told first that its agent is slow.
          if (called.status === 'given_up') await told.drain();
        } catch (error) {
          const { run_id, step_execution_id } = task;
          warn('An agent could not be called at once', {
            run_id,
            step_execution_id,
            error: (error as Error).message,
          });
        }
        return called;
      };
    },
    keepAccepted: (accepted) => deps.extendDeadlines(accepted.map((each) => ({ ...each, accepted: true }))),
  };
}
