import type { Json } from '../../../shared/engine/json.ts';

/*
 * Workflows as the property tests draw them: a tree that both the plan and the interpreter are made of. Data is numbers, texts
 * and lists made of them by hashing, so that whatever reads something else than it should comes to another value.
 */

export interface WorkflowModel {
  readonly name: string;
  readonly scope: ScopeModel;
  readonly timeoutMs: number | null;
}

/** The top, a branch or an item: the steps that stand directly in it, by id. */
export interface ScopeModel {
  readonly startStep: string;
  readonly steps: ReadonlyMap<string, StepModel>;
}

export type StepModel = StepModelBase & StepKind;

export interface StepModelBase {
  readonly id: string;
  readonly next: string | null;
  readonly output: ExpressionModel | null;
  readonly assign: Readonly<Record<string, ExpressionModel>> | null;
  readonly retry: readonly { readonly codes: readonly string[] | null; readonly maxAttempts: number }[];
  readonly catch: readonly { readonly codes: readonly string[] | null; readonly next: string }[];
  readonly timeoutMs: number | null;
}

export type StepKind =
  | { readonly type: 'agent'; readonly input: ExpressionModel; readonly heartbeatMs: number | null }
  | {
      readonly type: 'choice';
      readonly rules: readonly { readonly next: string; readonly when: ConditionModel }[];
      readonly otherwise: string | null;
    }
  | {
      readonly type: 'parallel';
      readonly branches: readonly { readonly name: string; readonly scope: ScopeModel }[];
      readonly needed: number;
    }
  | {
      readonly type: 'map';
      readonly items: ExpressionModel;
      readonly scope: ScopeModel;
      readonly maxConcurrency: number | null;
      readonly toleratedFailures: number;
    }
  | { readonly type: 'wait'; readonly seconds: number }
  | { readonly type: 'signal'; readonly signal: string }
  | {
      readonly type: 'workflow';
      readonly workflow: string;
      readonly input: ExpressionModel;
      readonly waits: boolean;
    }
  | { readonly type: 'pass'; readonly result: ExpressionModel }
  | { readonly type: 'succeed'; readonly result: ExpressionModel }
  | { readonly type: 'fail'; readonly code: string };

/** What an expression or condition may look at. */
export type ReferenceModel =
  | { readonly kind: 'input' | 'item' | 'index' | 'error' | 'own output' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'output'; readonly step: string };

export interface ExpressionModel {
  readonly references: readonly ReferenceModel[];
  /**
   * `counter`: one more than the first reference; `large`: over the payload limit; `broken`: it throws. What a definition's source
   * can say by paths: `seen` is the list of what is seen, `fields` an object of it, `first` the first of it.
   */
  readonly makes: 'number' | 'text' | 'list' | 'object' | 'counter' | 'large' | 'broken' | SourceMakes;
  readonly salt: number;
}

export type SourceMakes = 'seen' | 'fields' | 'first';

export type ConditionModel =
  | SourceCondition
  | { readonly kind: 'below'; readonly variable: string; readonly limit: number }
  | { readonly kind: 'hash'; readonly of: ExpressionModel; readonly modulo: number };

/** What a choice's rule can say of one value. `nested`: a variable is a list in a list, so deep, or deeper. */
export type SourceCondition =
  | { readonly kind: 'is text' | 'is number'; readonly of: ReferenceModel; readonly holds: boolean }
  | { readonly kind: 'less than'; readonly of: ReferenceModel; readonly limit: number }
  | { readonly kind: 'nested'; readonly variable: string; readonly depth: number; readonly holds: boolean };

export interface View {
  see(reference: ReferenceModel): Json;
}

/** JSON text of a step's input or output, in bytes. */
export const MAX_PAYLOAD_BYTES = 600;

export function evaluateModel({ references, makes, salt }: ExpressionModel, view: View): Json {
  const seen = references.map((reference) => view.see(reference));
  const value = hashOf([salt, ...seen]) % 1_000;
  switch (makes) {
    case 'number':
      return value;
    case 'text':
      return 'x'.repeat(value % 200);
    case 'list':
      return Array.from({ length: value % 5 }, (_, i) => value + i);
    case 'object':
      return { value };
    case 'counter':
      return (typeof seen[0] === 'number' ? seen[0] : 0) + 1;
    case 'large':
      return 'x'.repeat(MAX_PAYLOAD_BYTES);
    case 'seen':
      return seen;
    case 'fields':
      return Object.fromEntries(seen.map((each, i) => [`r${i}`, each]));
    case 'first':
      return seen[0] ?? null;
    case 'broken':
      throw new Error(`Nothing is to be made of ${value}`);
  }
}

export function holdsModel(condition: ConditionModel, view: View): boolean {
  switch (condition.kind) {
    case 'hash':
      return hashOf(evaluateModel(condition.of, view)) % condition.modulo === 0;
    case 'is text':
      return (typeof view.see(condition.of) === 'string') === condition.holds;
    case 'is number':
      return (typeof view.see(condition.of) === 'number') === condition.holds;
    case 'less than': {
      const value = view.see(condition.of);
      return typeof value === 'number' && value < condition.limit;
    }
    case 'nested': {
      let value = view.see({ kind: 'variable', name: condition.variable });
      let depth = 0;
      for (; Array.isArray(value) && value.length > 0; depth++) value = value[0] as Json;
      return depth >= condition.depth === condition.holds;
    }
    case 'below':
      break;
  }
  const value = view.see({ kind: 'variable', name: condition.variable });
  return (typeof value === 'number' ? value : 0) < condition.limit;
}

/** FNV-1a of the JSON text. */
export function hashOf(value: Json): number {
  let hash = 0x811c9dc5;
  for (const character of JSON.stringify(value))
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return (hash ^ (hash >>> 15)) >>> 0;
}

export type ModelOutcome =
  | { readonly status: 'completed'; readonly output: Json }
  | { readonly status: 'failed'; readonly code: string; readonly retryable: boolean };

/** What agents do: a function of what they are asked, and, where `isFickle`, of where and how often. */
export interface AgentModel {
  readonly seed: number;
  readonly isFickle: boolean;
  /** Of 100 answers so many are failures. */
  readonly failurePercentage: number;
}

export interface Call {
  readonly stepId: string;
  readonly scope: string;
  readonly visit: number;
  readonly attempt: number;
  readonly input: Json;
}

export function outcomeOf({ seed, isFickle, failurePercentage }: AgentModel, call: Call): ModelOutcome {
  const { stepId, scope, visit, attempt, input } = call;
  const hash = hashOf([seed, stepId, input, ...(isFickle ? [scope, visit, attempt] : [])]);
  if (hash % 100 < failurePercentage)
    return { status: 'failed', code: CODES[hash % CODES.length] as string, retryable: hash % 3 !== 0 };
  if (hash % 50 === 1) return { status: 'completed', output: 'x'.repeat(MAX_PAYLOAD_BYTES) };
  if (hash % 5 === 1) return { status: 'completed', output: 'y'.repeat(hash % 300) };
  return { status: 'completed', output: { n: hash % 1_000 } };
}

export const CODES = ['BUSY', 'BAD', 'TIMEOUT'] as const;

/** A signal's payload is its name's, so that it does not matter which came first. */
export function payloadOf(signal: string): Json {
  return { of: signal };
}

/** A signal that nobody sends: who waits for it has a timeout. */
export function isEverSent(signal: string): boolean {
  return !signal.startsWith('never');
}
