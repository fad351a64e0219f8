import { readFileSync } from 'node:fs';
import type { Json, JsonObject } from '../../shared/engine/json.ts';

export interface ExampleCase {
  readonly input: JsonObject;
  /** Sent once the run is accepted. */
  readonly signal: { readonly name: string; readonly payload: Json } | null;
  readonly outcome:
    | { readonly status: 'COMPLETED'; readonly output_data: Json }
    | { readonly status: 'FAILED'; readonly error_code: string };
}

export interface LanguageExample {
  /** In the order in which they are to be registered; the last one is executed. */
  readonly definitions: readonly (JsonObject & { readonly name: string })[];
  readonly cases: readonly ExampleCase[];
}

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

export const languageReference = read('shared/definition/README.md');

const ROW =
  /^\| `(.+?)`(?:, and the signal `(.+?)` with `(.+?)`)? +\| (?:COMPLETED with `(.+)`|FAILED with `(.+)`) +\|$/;

/** The definitions of the README and of the language's reference, each with the table that says what comes of it. */
export function readLanguageExamples(): LanguageExample[] {
  return [read('README.md'), languageReference].flatMap(examplesIn);
}

function examplesIn(text: string): LanguageExample[] {
  const examples: LanguageExample[] = [];
  let definitions: LanguageExample['definitions'] = [];
  for (const [, block, table] of text.matchAll(
    /```json\n([\s\S]*?)```|^\| `input_data`.*\n.*\n((?:\|.*\n)+)/gm,
  )) {
    if (block !== undefined) {
      definitions = [...definitions, JSON.parse(block)];
    } else {
      examples.push({ definitions, cases: (table ?? '').trim().split('\n').map(caseOf) });
      definitions = [];
    }
  }
  if (definitions.length > 0) throw new Error(`${definitions[0]?.name} has no table of what comes of it`);
  return examples;
}

function caseOf(row: string): ExampleCase {
  const [, input, signal, payload, output, code] = ROW.exec(row) ?? [];
  if (input === undefined) throw new Error(`Not the row of a case: ${row}`);
  return {
    input: JSON.parse(input),
    signal: signal === undefined ? null : { name: signal, payload: JSON.parse(payload ?? '') },
    outcome:
      code === undefined
        ? { status: 'COMPLETED', output_data: JSON.parse(output ?? '') }
        : { status: 'FAILED', error_code: code },
  };
}
