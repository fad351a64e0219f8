import { isJsonObject, type Json } from '../engine/json.ts';
import type { Expression, Reads, Scope } from '../engine/plan.ts';
import { pathWithin } from '../validation/problem.ts';
import {
  type CompiledPath,
  compilePath,
  ESCAPE_HINT,
  ExpressionError,
  isPath,
  literalText,
  NoPathError,
} from './json-path.ts';
import { readsOf, type Source } from './reads.ts';

/** In all expressions of a step: each may walk all of the data. */
const MAX_MULTIPLE_PATHS = 100;

/** A path to one value, compiled: undefined where it selects nothing. @throws nothing */
export type Select = (scope: Scope) => Json | undefined;

/** What the expressions of one step are compiled with: together they may cost as much as one. */
export interface ExpressionCompiler {
  /**
   * Compiles a JSON value in which every string that is a path stands for what it selects.
   * @param at where it stands, as problems are to name it
   */
  mapping(mapping: Json, at?: string): Expression;
  /** Compiles a path to one value. */
  selection(path: string, at?: string): Select;
  /** Of all that was compiled so far. */
  reads(): Reads;
}

export interface ExpressionOptions {
  /** Told each problem, by its place; the compiled expression is then of no use. By default it is thrown. */
  onProblem?(path: string, message: string): void;
  onRead?(path: string, source: Source): void;
  /** A step that has the name of something else that expressions see comes before that: definitions of old may have such. */
  isStep?(id: string): boolean;
}

/** @throws ExpressionError from what it compiles with, unless `onProblem` is told instead. */
export function createExpressionCompiler({
  onProblem = (path, message) => {
    throw new ExpressionError(`${path}: ${message}`);
  },
  onRead,
  isStep = () => false,
}: ExpressionOptions = {}): ExpressionCompiler {
  let multiplePaths = 0;
  const all: Source[] = [];

  function compile(text: string, at: string, mayBeMultiple: boolean): CompiledPath | null {
    const compiled = tryCompile(text, at, mayBeMultiple);
    if (compiled === null) return null;
    if (compiled.isMultiple && !mayBeMultiple) {
      onProblem(at, `expected a path to one value, got "${text}"`);
    }
    for (const source of compiled.sources) {
      all.push(source);
      onRead?.(at, source);
    }
    if (compiled.isMultiple && ++multiplePaths === MAX_MULTIPLE_PATHS + 1) {
      onProblem(at, `expected at most ${MAX_MULTIPLE_PATHS} paths in a step that may select several values`);
    }
    return compiled;
  }

  function tryCompile(text: string, at: string, mayBeText: boolean): CompiledPath | null {
    try {
      return compilePath(text, isStep);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const hint = mayBeText && error instanceof NoPathError ? `; ${ESCAPE_HINT}` : '';
      onProblem(at, `${error.message}${hint}`);
      return null;
    }
  }

  function compileValue(value: Json, at: string, sources: Source[]): Evaluate {
    if (isPath(value)) {
      const compiled = compile(value, at, true);
      if (compiled === null) return () => null;
      sources.push(...compiled.sources);
      return (scope) => compiled.select(scope) ?? null;
    }
    const join = (key: string | number) => pathWithin(at, key);
    if (Array.isArray(value)) {
      const items = value.map((item, i) => compileValue(item, join(i), sources));
      return (scope) => items.map((evaluate) => evaluate(scope));
    }
    if (isJsonObject(value)) {
      const entries = Object.entries(value).map(
        ([key, child]) => [key, compileValue(child, join(key), sources)] as const,
      );
      return (scope) => Object.fromEntries(entries.map(([key, evaluate]) => [key, evaluate(scope)]));
    }
    const literal = typeof value === 'string' ? literalText(value) : value;
    return () => literal;
  }

  return {
    mapping(mapping, at = '') {
      const sources: Source[] = [];
      const evaluate = compileValue(mapping, at, sources);
      return { reads: readsOf(sources), evaluate };
    },
    selection(path, at = '') {
      const compiled = compile(path, at, false);
      return (scope) => compiled?.select(scope);
    },
    reads: () => readsOf(all),
  };
}

type Evaluate = (scope: Scope) => Json;
