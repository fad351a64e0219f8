import * as z from 'zod';
import type { AgentStep } from '../../engine/plan.ts';
import { catchField } from '../catch.ts';
import type { ExpressionCompiler } from '../expression.ts';
import { retryField } from '../retry-policy.ts';
import {
  heading,
  inputMapping,
  millisecondsOf,
  name,
  nextStep,
  results,
  seconds,
  timeoutSeconds,
} from '../step-fields.ts';
import { expressionsIn, type OwnPart } from '../step-type.ts';

/** An agent does it. */
export const agentSchema = z.strictObject({
  ...heading(z.literal('agent').optional()),
  agent_name: name.describe('Who does it.'),
  timeout_seconds: timeoutSeconds.describe(
    "How long the agent may take from the moment it is called; default: the agent's, else 60. Longer is the error TIMEOUT.",
  ),
  heartbeat_seconds: seconds
    .optional()
    .describe(
      'How long an agent that has accepted may be silent: it POSTs to `…/heartbeat` of its callback. Longer is the error HEARTBEAT_TIMEOUT.',
    ),
  catch: catchField,
  ...results,
  next_step: nextStep,
  input_mapping: inputMapping.describe(
    "What the agent gets; a string that starts `$.` or `$[` is a JSONPath over the run's data.",
  ),
  retry: retryField,
});

export type AgentDefinition = z.infer<typeof agentSchema>;

export const agentExpressions = expressionsIn('input_mapping');

export function compileAgent(step: AgentDefinition, entering: ExpressionCompiler): OwnPart<AgentStep> {
  return {
    type: 'agent',
    agentName: step.agent_name,
    input: entering.mapping(step.input_mapping),
    heartbeatMs: millisecondsOf(step.heartbeat_seconds),
  };
}
