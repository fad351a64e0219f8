import type { Draft } from './draft.ts';
import type { AgentFailure } from './event.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { fitsInBytes } from './json-size.ts';
import { NotLoadedError } from './known.ts';
import type { Expression, Plan, PlanStep, Scope } from './plan.ts';
import { viewOf } from './view.ts';

export type Evaluated = { readonly ok: true; readonly value: Json } | NotMade;

export type Shaped =
  | { readonly ok: true; readonly output: Json; readonly variables: JsonObject | null }
  | NotMade;

interface NotMade {
  readonly ok: false;
  readonly failure: AgentFailure;
}

interface Place {
  readonly plan: Plan;
  readonly draft: Draft;
}

/** @param what it is made for, as the failure's message says it */
export function evaluate(
  expression: Expression,
  view: Scope,
  step: PlanStep,
  what: string,
  maxPayloadBytes: number,
): Evaluated {
  let value: Json;
  try {
    value = expression.evaluate(view);
  } catch (error) {
    if (error instanceof NotLoadedError) throw error;
    const message = `The ${what} of step "${step.id}" cannot be made: ${(error as Error).message}`;
    return { ok: false, failure: { code: 'EXPRESSION_ERROR', message, retryable: false } };
  }
  if (fitsInBytes(value, maxPayloadBytes)) return { ok: true, value };
  return tooLarge(`The ${what} of step "${step.id}"`, maxPayloadBytes);
}

/** What a step came to, by its `output_mapping` and its `assign`. Variables are null where it sets none. */
export function shapeResult({ plan, draft }: Place, step: PlanStep, scope: string, result: Json): Shaped {
  const { maxPayloadBytes } = plan.settings;
  if (!fitsInBytes(result, maxPayloadBytes))
    return tooLarge(`The output of step "${step.id}"`, maxPayloadBytes);
  if (step.output === null && step.assign === null) return { ok: true, output: result, variables: null };
  const view = viewOf(plan, draft, step, scope, result);
  const output = step.output && evaluate(step.output, view, step, 'output', maxPayloadBytes);
  if (output && !output.ok) return output;
  const assigned = step.assign && evaluate(step.assign, view, step, 'assign', maxPayloadBytes);
  if (!assigned) return { ok: true, output: output ? output.value : result, variables: null };
  if (!assigned.ok) return assigned;
  const before = isJsonObject(view.variables) ? view.variables : {};
  const variables = { ...before, ...(assigned.value as JsonObject) };
  if (!fitsInBytes(variables, maxPayloadBytes))
    return tooLarge(`What the variables come to after step "${step.id}"`, maxPayloadBytes);
  return { ok: true, output: output ? output.value : result, variables };
}

function tooLarge(what: string, maxBytes: number): NotMade {
  const message = `${what} is larger than the limit of ${maxBytes} bytes of JSON`;
  return { ok: false, failure: { code: 'DATA_LIMIT', message, retryable: false } };
}
