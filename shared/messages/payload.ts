import type { Limits } from '../config/limits.ts';
import type { Json } from '../engine/json.ts';

export type PayloadProblemCode = 'NOT_JSON' | 'TOO_LARGE' | 'TOO_DEEP' | 'TOO_MANY_ENTRIES' | 'UNSTORABLE';

/** What is wrong with a payload, and where: `path` is dotted from the payload's root, which is `''`. */
export interface PayloadProblem {
  readonly code: PayloadProblemCode;
  readonly path: string;
  readonly message: string;
}

type PayloadLimits = Pick<Limits, 'maxJsonDepth' | 'maxJsonEntries'>;

/**
 * Reads JSON text from a user or an agent, and refuses what Postgres cannot store or another reader would see differently:
 * U+0000, lone surrogates, numbers beyond a double, a `__proto__` key, nesting and entry counts past the limits.
 */
export function parsePayload(
  text: string,
  { maxBytes, ...limits }: PayloadLimits & { readonly maxBytes: number },
): { ok: true; value: Json } | { ok: false; problem: PayloadProblem } {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    const message = `expected at most ${maxBytes} bytes of JSON, got ${bytes}`;
    return { ok: false, problem: { code: 'TOO_LARGE', path: '', message } };
  }
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    const message = `expected JSON: ${(error as Error).message}`;
    return { ok: false, problem: { code: 'NOT_JSON', path: '', message } };
  }
  const problem = findPayloadProblem(value, limits);
  return problem ? { ok: false, problem } : { ok: true, value };
}

/** The first problem in a parsed value, or null. Walks without recursion: depth is the attacker's choice. */
export function findPayloadProblem(root: unknown, limits: PayloadLimits): PayloadProblem | null {
  if (typeof root !== 'object' || root === null) return problemOfScalar(root, '');
  interface Frame {
    readonly value: object;
    readonly path: string;
    readonly depth: number;
  }
  const stack: Frame[] = [{ value: root, path: '', depth: 1 }];
  let entries = 0;
  for (let frame = stack.pop(); frame !== undefined; frame = stack.pop()) {
    const { value, path, depth } = frame;
    if (depth > limits.maxJsonDepth) {
      return { code: 'TOO_DEEP', path, message: `expected at most ${limits.maxJsonDepth} levels of nesting` };
    }
    const isArray = Array.isArray(value);
    const keys = isArray ? null : Object.keys(value);
    const count = isArray ? value.length : keys!.length;
    entries += count;
    if (entries > limits.maxJsonEntries) {
      return {
        code: 'TOO_MANY_ENTRIES',
        path,
        message: `expected at most ${limits.maxJsonEntries} keys and items in all`,
      };
    }
    for (let i = 0; i < count; i++) {
      const key = keys ? keys[i]! : i;
      const child: unknown = (value as Record<string | number, unknown>)[key];
      if (keys) {
        const keyProblem = problemOfKey(key as string, path);
        if (keyProblem) return keyProblem;
      }
      if (typeof child === 'object' && child !== null) {
        stack.push({ value: child, path: join(path, key), depth: depth + 1 });
      } else if (typeof child === 'string' || typeof child === 'number') {
        const problem = problemOfScalar(child, '');
        if (problem) return { ...problem, path: join(path, key) };
      }
    }
  }
  return null;
}

function join(path: string, key: string | number): string {
  return path === '' ? String(key) : `${path}.${key}`;
}

function problemOfKey(key: string, path: string): PayloadProblem | null {
  if (key === '__proto__')
    return { code: 'UNSTORABLE', path: join(path, key), message: 'expected another key than __proto__' };
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
