import { type Limits, limits } from '../config/limits.ts';
import type { Json } from '../engine/json.ts';
import { writtenOutDigits } from '../engine/json-size.ts';
import { MAX_PROBLEMS, pathWithin } from '../validation/problem.ts';
import { findChangedNumbers } from './parsing-losses.ts';

export type PayloadProblemCode = 'NOT_JSON' | 'TOO_LARGE' | 'TOO_DEEP' | 'TOO_MANY_ENTRIES' | 'UNSTORABLE';

/** What is wrong with a payload, and where: `path` is dotted from the payload's root, which is `''`. */
export interface PayloadProblem {
  readonly code: PayloadProblemCode;
  readonly path: string;
  readonly message: string;
}

const MAX_WRITTEN_OUT_DIGITS = limits.maxPayloadBytes;

type PayloadLimits = Pick<Limits, 'maxJsonDepth' | 'maxJsonEntries'>;

/**
 * Reads JSON text from an agent, and refuses what Postgres cannot store or another reader would see differently: U+0000, lone
 * surrogates, numbers beyond a double and those that it would change, a `__proto__` key, nesting and entry counts past the
 * limits. So are numbers that are short by their exponents and a thousand times as long when Postgres writes them out.
 */
export function parsePayload(
  text: string,
  { maxBytes, ...limits }: PayloadLimits & { readonly maxBytes: number },
): ParsedJson {
  const parsed = parseJson(text, maxBytes);
  if (!parsed.ok) return parsed;
  const problem = findPayloadProblem(parsed.value, limits) ?? findChangedNumber(text);
  return problem ? { ok: false, problem } : parsed;
}

export type ParsedJson =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly problem: PayloadProblem };

/** Of what comes out, nothing but its size is checked. */
export function parseJson(text: string, maxBytes: number): ParsedJson {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    const message = `expected at most ${maxBytes} bytes of JSON, got ${bytes}`;
    return { ok: false, problem: { code: 'TOO_LARGE', path: '', message } };
  }
  try {
    return { ok: true, value: JSON.parse(text) as Json };
  } catch (error) {
    const message = `expected JSON: ${(error as Error).message}`;
    return { ok: false, problem: { code: 'NOT_JSON', path: '', message } };
  }
}

/**
 * The first number in JSON text that its reader would change, or null.
 * @param field of the object that the text is: only what stands there counts
 */
export function findChangedNumber(text: string, field?: string): PayloadProblem | null {
  const [changed] = findChangedNumbers(text, field);
  return changed ? { code: 'UNSTORABLE', ...changed } : null;
}

/** The first problem in a parsed value, or null. */
export function findPayloadProblem(root: unknown, limits: PayloadLimits): PayloadProblem | null {
  return payloadProblems(root, limits).next().value ?? null;
}

/** All of them, up to what an answer lists. What is too deep or too much is the last. */
export function findPayloadProblems(root: unknown, limits: PayloadLimits): readonly PayloadProblem[] {
  return [...payloadProblems(root, limits).take(MAX_PROBLEMS)];
}

/** Walks without recursion: depth is the attacker's choice. */
function* payloadProblems(
  root: unknown,
  { maxJsonDepth, maxJsonEntries }: PayloadLimits,
): Generator<PayloadProblem, undefined> {
  if (typeof root !== 'object' || root === null) {
    const problem = problemOfScalar(root, '');
    if (problem) yield problem;
    return;
  }
  interface Frame {
    readonly value: object;
    readonly path: string;
    readonly depth: number;
  }
  const stack: Frame[] = [{ value: root, path: '', depth: 1 }];
  let entries = 0;
  let digits = 0;
  for (let frame = stack.pop(); frame !== undefined; frame = stack.pop()) {
    const { value, path, depth } = frame;
    if (depth > maxJsonDepth) {
      yield { code: 'TOO_DEEP', path, message: `expected at most ${maxJsonDepth} levels of nesting` };
      return;
    }
    const isArray = Array.isArray(value);
    const keys = isArray ? null : Object.keys(value);
    const count = isArray ? value.length : keys!.length;
    entries += count;
    if (entries > maxJsonEntries) {
      const message = `expected at most ${maxJsonEntries} keys and items in all`;
      yield { code: 'TOO_MANY_ENTRIES', path, message };
      return;
    }
    for (let i = 0; i < count; i++) {
      const key = keys ? keys[i]! : i;
      const child: unknown = (value as Record<string | number, unknown>)[key];
      if (keys) {
        const keyProblem = problemOfKey(key as string, path);
        if (keyProblem) yield keyProblem;
      }
      if (typeof child === 'object' && child !== null) {
        stack.push({ value: child, path: pathWithin(path, key), depth: depth + 1 });
      } else if (typeof child === 'string' || typeof child === 'number') {
        const problem = problemOfScalar(child, '');
        if (problem) yield { ...problem, path: pathWithin(path, key) };
        else if (typeof child === 'number') digits += writtenOutDigits(child);
        if (digits > MAX_WRITTEN_OUT_DIGITS) {
          const message = `expected numbers of at most ${MAX_WRITTEN_OUT_DIGITS} digits in all, written out without exponents`;
          yield { code: 'TOO_LARGE', path: pathWithin(path, key), message };
          return;
        }
      }
    }
  }
}

function problemOfKey(key: string, path: string): PayloadProblem | null {
  if (key === '__proto__')
    return {
      code: 'UNSTORABLE',
      path: pathWithin(path, key),
      message: 'expected another key than __proto__',
    };
  const problem = problemOfScalar(key, '');
  return problem && { ...problem, path, message: `a key here: ${problem.message}` };
}

function problemOfScalar(value: unknown, path: string): PayloadProblem | null {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return { code: 'UNSTORABLE', path, message: 'expected a number that fits a double (below 1.8e308)' };
  }
  if (typeof value === 'string') {
    if (value.includes('\u0000'))
      return { code: 'UNSTORABLE', path, message: 'expected text without the character U+0000' };
    if (!value.isWellFormed())
      return { code: 'UNSTORABLE', path, message: 'expected well-formed Unicode, got a lone surrogate' };
  }
  return null;
}
