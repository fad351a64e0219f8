import { isJsonObject, type Json } from '../../engine/json.ts';
import { pathWithin } from '../../validation/problem.ts';
import { isPath, literalText } from '../json-path.ts';
import type { StepGraph, StepNode } from '../step-graph.ts';
import { expressionsIn } from '../step-type.ts';
import { expressionsOf } from '../workflow-definition.ts';
import type { Warning } from './warning.ts';

const settlingExpressions = expressionsIn('output_mapping', 'assign');

/** `{{name}}`, as other products' templates have it. */
const TEMPLATE = /\{\{([^{}]{1,200})\}\}/;
/** A path but for the `$.` that it begins with: of those that nobody would write as text. */
const UNMARKED = /^(?:(?:workflow_input|variables)[.[]|workflow_input$|(\w+)\.output_data\b)/;
/** A path among other text. */
const EMBEDDED = /\$\.(?:(?:workflow_input|variables)\b|(\w+)\.output_data\b)/;
/** Those that have another of their name that takes a path. */
const TEXT_COMPARISON = /^string_(?:equals|(?:less|greater)_than(?:_equals)?)$/;
/** In characters: a longer text is none of these. */
const MAX_PATH_LENGTH = 200;

/** Text that was probably meant as a path, or to have one filled in: it is handed over, or compared with, as it stands. */
export function textLikePaths({ steps }: StepGraph): Warning[] {
  const isStep = (id: string) => steps.has(id);
  return [...steps.values()].flatMap((node) => [
    ...textsIn(node).flatMap(({ path, text }) => {
      const warning = judged(text, isStep);
      return warning === null ? [] : [{ path, ...warning }];
    }),
    ...comparisonsIn(node.given.choices, `${node.path}.choices`).flatMap((compared) => {
      const warning = comparedWarning(compared, isStep);
      return warning === null ? [] : [{ path: compared.path, ...warning }];
    }),
  ]);
}

type IsStep = (id: string) => boolean;

function judged(text: string, isStep: IsStep): Omit<Warning, 'path'> | null {
  const inside = TEMPLATE.exec(text)?.[1]?.trim();
  if (inside !== undefined) {
    const path = pathOf(inside, isStep) ?? `$.workflow_input.${/^\w+$/.test(inside) ? inside : 'name'}`;
    return {
      message: 'is text as it stands: nothing is filled in for {{…}}',
      hint: `Write what is meant as a string of its own: "${path}". Leave it where the agent itself fills it in`,
    };
  }
  const path = pathOf(text, isStep);
  if (path !== null)
    return { message: 'is text as it stands: it does not start $.', hint: `Write it as a path: "${path}"` };
  const embedded = EMBEDDED.exec(text);
  if (embedded === null || (embedded[1] !== undefined && !isStep(embedded[1]))) return null;
  return {
    message: `is text as it stands: ${embedded[0]}… within other text is no path`,
    hint: 'Give the parts as a list, or as fields of an object: each string that starts $. is a path',
  };
}

function comparedWarning({ text, comparison }: ComparedText, isStep: IsStep): Omit<Warning, 'path'> | null {
  const path = pathOf(TEMPLATE.exec(text)?.[1]?.trim() ?? text, isStep);
  if (path === null) return null;
  const message = `is text as it stands: ${comparison} compares with no path`;
  return { message, hint: `Compare with what the path selects: "${comparison}_path": "${path}"` };
}

/** What it would be as a path, if it looks like one. */
function pathOf(text: string, isStep: IsStep): string | null {
  const bare = text.replace(/^\$\.?/, '');
  if (bare.length > MAX_PATH_LENGTH || /\s/.test(bare)) return null;
  const found = UNMARKED.exec(bare);
  return found === null || (found[1] !== undefined && !isStep(found[1])) ? null : `$.${bare}`;
}

interface PlacedText {
  readonly path: string;
  readonly text: string;
}

/** The strings that are handed over as they are: no paths, and no text that says so by a backslash. */
function textsIn({ given, path }: StepNode): PlacedText[] {
  return [...expressionsOf(given.type)(given), ...settlingExpressions(given)]
    .filter(({ isCondition }) => !isCondition)
    .flatMap(({ at, value }) => textsOf(value, `${path}.${at}`));
}

/** It nests no deeper than what may be stored. */
function textsOf(value: Json, path: string): PlacedText[] {
  if (typeof value === 'string')
    return isPath(value) || literalText(value) !== value ? [] : [{ path, text: value }];
  const parts = Array.isArray(value) ? value.entries() : isJsonObject(value) ? Object.entries(value) : [];
  return [...parts].flatMap(([key, part]) => textsOf(part as Json, pathWithin(path, key)));
}

interface ComparedText extends PlacedText {
  readonly comparison: string;
}

/** What conditions compare texts with. They nest no deeper than they may. */
function comparisonsIn(conditions: Json | undefined, path: string): ComparedText[] {
  const parts = Array.isArray(conditions)
    ? conditions.entries()
    : isJsonObject(conditions)
      ? Object.entries(conditions)
      : [];
  return [...parts].flatMap(([key, part]) => {
    const at = pathWithin(path, key);
    if (typeof part !== 'string') return comparisonsIn(part as Json, at);
    return TEXT_COMPARISON.test(String(key)) ? [{ path: at, text: part, comparison: String(key) }] : [];
  });
}
