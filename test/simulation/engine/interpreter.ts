import { isJsonObject, type Json, type JsonObject } from '../../../shared/engine/json.ts';
import {
  type AgentModel,
  type ExpressionModel,
  evaluateModel,
  holdsModel,
  isEverSent,
  MAX_PAYLOAD_BYTES,
  outcomeOf,
  payloadOf,
  type ScopeModel,
  type StepModel,
  type View,
  type WorkflowModel,
} from './workflow-model.ts';

/*
 * What a run comes to, by straightforward recursion: nothing waits, nothing is lost, nothing is stored. It knows the workflow's
 * tree and not the engine; where what comes out hangs on which of two things was first, it says so.
 */

export interface Expected {
  readonly end: End;
  /** Of the top. */
  readonly variables: JsonObject;
  /** By scope, step and visit. */
  readonly outputs: ReadonlyMap<string, Json>;
  /** The outcome hangs on the order of events. */
  readonly isRace: boolean;
}

export type End = { readonly ok: true; readonly output: Json } | Failed;
interface Failed {
  readonly ok: false;
  readonly code: string;
}

type Result =
  | { readonly ok: true; readonly output: Json; readonly next?: string | null }
  | (Failed & { readonly retryable: boolean; readonly isFinal?: true });

export interface Surroundings {
  readonly workflows: ReadonlyMap<string, WorkflowModel>;
  readonly agents: AgentModel;
}

export function interpret(workflow: WorkflowModel, input: Json, surroundings: Surroundings): Expected {
  const run = new InterpretedRun(input, surroundings);
  const top = new Environment(null, '', isJsonObject(input) ? input : {});
  const end = run.scope(workflow.scope, top);
  return { end, variables: top.variables, outputs: run.outputs, isRace: run.isRace };
}

export function outputKey(scope: string, stepId: string, visit: number): string {
  return `${scope}\n${stepId}\n${visit}`;
}

class Environment {
  readonly outputs = new Map<string, Json>();
  readonly visits = new Map<string, number>();
  readonly around: Environment | null;
  readonly path: string;
  variables: JsonObject;
  error: string | null;
  readonly item: { readonly value: Json; readonly index: number } | null;

  constructor(around: Environment | null, path: string, variables: JsonObject, item = around?.item ?? null) {
    this.around = around;
    this.path = path;
    this.variables = variables;
    this.error = around?.error ?? null;
    this.item = item;
  }

  visit(stepId: string): number {
    const visit = (this.visits.get(stepId) ?? 0) + 1;
    this.visits.set(stepId, visit);
    return visit;
  }

  output(stepId: string): Json {
    return this.outputs.get(stepId) ?? this.around?.output(stepId) ?? null;
  }
}

class InterpretedRun {
  readonly outputs = new Map<string, Json>();
  isRace = false;
  readonly #input: Json;
  readonly #surroundings: Surroundings;

  constructor(input: Json, surroundings: Surroundings) {
    this.#input = input;
    this.#surroundings = surroundings;
  }

  scope({ startStep, steps }: ScopeModel, env: Environment): End {
    for (let at = startStep; ; ) {
      const step = steps.get(at)!;
      const result = this.#step(step, env);
      if (result.ok) {
        const next = result.next === undefined ? step.next : result.next;
        if (next === null) return { ok: true, output: result.output };
        at = next;
        continue;
      }
      const clause = result.isFinal
        ? undefined
        : step.catch.find(({ codes }) => codes === null || codes.includes(result.code));
      if (clause === undefined) return { ok: false, code: result.code };
      env.error = result.code;
      at = clause.next;
    }
  }

  #step(step: StepModel, env: Environment): Result {
    let visit = env.visit(step.id);
    const granted = step.retry.map(() => 0);
    for (let attempt = 1; ; ) {
      const result = this.#settle(step, env, visit, this.#attempt(step, env, visit, attempt));
      if (result.ok || result.isFinal || !result.retryable) return result;
      const which = step.retry.findIndex(({ codes }) => codes === null || codes.includes(result.code));
      const policy = step.retry[which];
      if (policy === undefined || (granted[which] ?? 0) + 1 >= policy.maxAttempts) return result;
      granted[which] = (granted[which] ?? 0) + 1;
      // A container begins anew; anything else is tried again on the input that it had.
      if (step.type === 'map' || step.type === 'parallel') visit = env.visit(step.id);
      else attempt++;
    }
  }

  #settle(step: StepModel, env: Environment, visit: number, result: Result): Result {
    if (!result.ok) return result;
    if (!fits(result.output)) return DATA_LIMIT;
    const shaped = step.output ? this.#evaluate(step.output, env, result.output) : result;
    if (!shaped.ok) return shaped;
    if (step.assign) {
      const assigned: Record<string, Json> = {};
      for (const [name, expression] of Object.entries(step.assign)) {
        const made = this.#evaluate(expression, env, result.output, false);
        if (!made.ok) return made;
        assigned[name] = made.output;
      }
      const variables = { ...env.variables, ...assigned };
      if (!fits(assigned) || !fits(variables)) return DATA_LIMIT;
      env.variables = variables;
    }
    env.outputs.set(step.id, shaped.output);
    this.outputs.set(outputKey(env.path, step.id, visit), shaped.output);
    return { ...result, output: shaped.output };
  }

  #attempt(step: StepModel, env: Environment, visit: number, attempt: number): Result {
    switch (step.type) {
      case 'agent': {
        const input = this.#evaluate(step.input, env);
        if (!input.ok) return input;
        const call = { stepId: step.id, scope: env.path, visit, attempt, input: input.output };
        const outcome = outcomeOf(this.#surroundings.agents, call);
        return outcome.status === 'completed'
          ? { ok: true, output: outcome.output }
          : { ...outcome, ok: false };
      }
      case 'choice': {
        let next: string | null;
        try {
          const rule = step.rules.find(({ when }) => holdsModel(when, this.#view(env)));
          next = rule?.next ?? step.otherwise;
        } catch {
          return { ok: false, code: 'EXPRESSION_ERROR', retryable: false };
        }
        if (next === null) return { ok: false, code: 'NO_CHOICE_MATCHED', retryable: false };
        return { ok: true, output: { next_step: next }, next };
      }
      case 'parallel': {
        const join = `${env.path === '' ? '' : `${env.path}/`}${encodeURIComponent(step.id)}#${visit}`;
        const ends = step.branches.map(({ name, scope }) =>
          this.scope(scope, new Environment(env, `${join}/${encodeURIComponent(name)}`, env.variables)),
        );
        if (step.needed < ends.length) this.isRace = true;
        const outputs = step.branches.flatMap(({ name }, i) => {
          const end = ends[i] as End;
          return end.ok ? [[name, end.output] as const] : [];
        });
        return this.#join(ends, 0, Object.fromEntries(outputs));
      }
      case 'map': {
        const items = this.#evaluate(step.items, env);
        if (!items.ok) return items;
        if (!Array.isArray(items.output)) return { ok: false, code: 'EXPRESSION_ERROR', retryable: false };
        const join = `${env.path === '' ? '' : `${env.path}/`}${encodeURIComponent(step.id)}#${visit}`;
        const ends = items.output.map((value: Json, index: number) =>
          this.scope(step.scope, new Environment(env, `${join}/${index}`, env.variables, { value, index })),
        );
        return this.#join(
          ends,
          step.toleratedFailures,
          ends.map((end) => (end.ok ? end.output : null)),
        );
      }
      case 'wait':
        return { ok: true, output: null };
      case 'signal':
        return isEverSent(step.signal)
          ? { ok: true, output: payloadOf(step.signal) }
          : { ok: false, code: 'TIMEOUT', retryable: true };
      case 'workflow': {
        const workflow = this.#surroundings.workflows.get(step.workflow);
        if (workflow === undefined) return { ok: false, code: 'WORKFLOW_NOT_FOUND', retryable: false };
        const input = this.#evaluate(step.input, env);
        if (!input.ok) return input;
        if (!step.waits) return { ok: true, output: 'a run' };
        const child = interpret(workflow, input.output, this.#surroundings);
        this.isRace ||= child.isRace;
        return child.end.ok ? child.end : { ...child.end, retryable: true };
      }
      case 'pass':
        return this.#evaluate(step.result, env);
      case 'succeed': {
        const result = this.#evaluate(step.result, env);
        return result.ok ? { ...result, next: null } : result;
      }
      case 'fail':
        return { ok: false, code: step.code, retryable: false, isFinal: true };
    }
  }

  #join(ends: readonly End[], tolerated: number, output: Json): Result {
    const codes = ends.flatMap((end) => (end.ok ? [] : [end.code]));
    const bytes = ends.reduce((sum, end) => sum + (end.ok ? jsonBytes(end.output) : 0), 0);
    const isFailed = codes.length > tolerated;
    const isTooLarge = bytes > MAX_PAYLOAD_BYTES;
    if (isFailed && (isTooLarge || (tolerated === 0 && new Set(codes).size > 1))) this.isRace = true;
    if (isTooLarge) return { ...DATA_LIMIT, retryable: true };
    if (!isFailed) return { ok: true, output };
    const code = tolerated === 0 ? (codes[0] as string) : 'TOLERATED_FAILURES_EXCEEDED';
    return { ok: false, code, retryable: true };
  }

  #evaluate(expression: ExpressionModel, env: Environment, own: Json = null, isWhole = true): Result {
    let output: Json;
    try {
      output = evaluateModel(expression, this.#view(env, own));
    } catch {
      return { ok: false, code: 'EXPRESSION_ERROR', retryable: false };
    }
    return !isWhole || fits(output) ? { ok: true, output } : DATA_LIMIT;
  }

  #view(env: Environment, own: Json = null): View {
    return {
      see: (reference): Json => {
        switch (reference.kind) {
          case 'input':
            return this.#input;
          case 'item':
            return env.item?.value ?? null;
          case 'index':
            return env.item?.index ?? null;
          case 'error':
            return env.error;
          case 'own output':
            return own;
          case 'variable':
            return env.variables[reference.name] ?? null;
          case 'output':
            return env.output(reference.step);
        }
      },
    };
  }
}

const DATA_LIMIT = { ok: false, code: 'DATA_LIMIT', retryable: false } as const;

function fits(value: Json): boolean {
  return jsonBytes(value) <= MAX_PAYLOAD_BYTES;
}

function jsonBytes(value: Json): number {
  return Buffer.byteLength(JSON.stringify(value));
}
