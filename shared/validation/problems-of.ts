import type * as z from 'zod';
import { isJsonObject } from '../engine/json.ts';
import { knownFields, tagsWithField, valueAt } from './known-fields.ts';
import type { HintOf } from './nearest-name.ts';
import { MAX_PROBLEMS, type Problem, pathOf, pathWithin, shortened } from './problem.ts';

export interface ProblemWords {
  readonly hintOf: HintOf;
  /** What something is that the schema does not know. Default: `unknown field`. */
  readonly unknown?: string | undefined;
  /** Said of an unknown field of the root that is like no known one: where it may belong. */
  readonly whereTo?: ((field: string) => string) | undefined;
}

/** In characters. */
const MAX_SHOWN_KEY_LENGTH = 200;

/** What a schema finds wrong with an input, each where it is; an unknown field with the name that was probably meant. */
export function problemsOf(
  schema: z.core.$ZodType,
  input: unknown,
  { issues }: z.core.$ZodError,
  { hintOf, unknown = 'unknown field', whereTo }: ProblemWords,
): readonly Problem[] {
  let told = 0;
  const unknownField = (path: readonly PropertyKey[], key: string) => {
    // What no answer lists is looked for in no schema: of a megabyte of unknown fields that takes seconds.
    if (told++ >= MAX_PROBLEMS) return unknown;
    const tags = tagsWithField(schema, input, path, key);
    const known = knownFields(schema, input, path);
    if (tags.length > 0) return `unknown field of this type${belongsTo(tags, known)}`;
    const given = path.reduce(valueAt, input);
    const free = known.filter((name) => !isJsonObject(given) || !Object.hasOwn(given, name));
    const hint = hintOf(key, free);
    const elsewhere =
      hint === '' && path.length === 0 ? whereTo?.(shortened(key, MAX_SHOWN_KEY_LENGTH)) : undefined;
    return `${unknown}${elsewhere === undefined ? hint : `: ${elsewhere}`}`;
  };
  const problemsAt = (issue: z.core.$ZodIssue, above: readonly PropertyKey[]): Problem[] => {
    const place = [...above, ...issue.path];
    const path = pathOf(place);
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => ({
          path: pathWithin(path, key),
          message: unknownField(place, key),
        }));
      case 'invalid_key':
        return [{ path, message: messageOf(issue.issues[0] ?? issue) }];
      case 'invalid_union': {
        // Of several forms, the one that was meant is the one whose outermost type fits.
        const meant = issue.errors.filter((errors) => !errors.some(isOfAnotherType));
        return meant.length === 1
          ? meant[0]!.flatMap((inner) => problemsAt(inner, place))
          : [{ path, message: messageOf(issue) }];
      }
      default:
        return [{ path, message: messageOf(issue) }];
    }
  };
  return issues.flatMap((issue) => problemsAt(issue, []));
}

const MAX_TAGS = 3;

/** A field that many types have says nothing about which was meant: then what this one has is of more use. */
function belongsTo(tags: readonly string[], known: readonly string[]): string {
  if (tags.length > MAX_TAGS) return `, which has ${known.join(', ')}`;
  return `: it belongs to ${tags.map((tag) => `"${tag}"`).join(' and ')}`;
}

/** Says what was expected, without the library's word for what it is instead. */
function messageOf({ message }: { readonly message: string }): string {
  return message.replace(/^(Invalid (input|option)|Too (small|big)): /, '');
}

function isOfAnotherType({ code, path }: z.core.$ZodIssue): boolean {
  return code === 'invalid_type' && path.length === 0;
}
