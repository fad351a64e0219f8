import type { Topics } from '../config/topics.ts';
import { agentTopicProblem } from '../config/topics.ts';
import type { Agent } from './agent.ts';
import { type AgentGuards, guardOf } from './agent-guards.ts';
import { type FailedCall, failedCall } from './call-outcome.ts';
import { checkUrl } from './check-agent-url.ts';

export type CheckAddress = (agent: Pick<Agent, 'kind' | 'address' | 'owner'>) => string | null;

/** As Lambda takes it: a name of at most 64 characters or an ARN, either with a version or an alias. */
const FUNCTION =
  /^(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?(?<name>[\w-]{1,64})(?::(?:\$LATEST|[\w-]{1,128}))?$/;

/**
 * What is wrong with where an agent is, or null: the one check for agents that somebody registers, for those that the registry answers
 * with, and for rows that were there before the rules were. What a name resolves to is checked at each connection.
 * @param ownFunctions the names of the deployment's own functions, whatever account or region an ARN names
 */
export function createCheckAddress({
  guards,
  topics,
  ownFunctions,
}: {
  readonly guards: AgentGuards;
  readonly topics: Topics;
  readonly ownFunctions: ReadonlySet<string>;
}): CheckAddress {
  return (agent) => {
    const { kind, address } = agent;
    if (kind === 'http') return checkUrl(address, guardOf(guards, agent));
    if (kind === 'kafka') return agentTopicProblem(address, topics);
    const name = FUNCTION.exec(address)?.groups?.name;
    if (name === undefined) {
      return 'expected the name or ARN of a Lambda function, with :version or :alias or without';
    }
    return ownFunctions.has(name)
      ? `expected an agent's function, got ${name}, which is one of Stepline's own`
      : null;
  };
}

/** A call that is not made. @param problem what was expected of the agent's address */
export function addressRefused(problem: string): FailedCall {
  return failedCall(
    'AGENT_ADDRESS_REFUSED',
    `The agent cannot be called where it is registered: ${problem}`,
    {
      retryable: false,
    },
  );
}
