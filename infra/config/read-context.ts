import type { ValueOf } from './context-field.ts';
import { type ContextFields, type ContextName, contextFields } from './context-fields.ts';

type Optional<T> = { readonly [K in keyof T]: T[K] | undefined };

/** The values that were given, by name. */
export type ContextValues = Optional<{ [Name in ContextName]: ValueOf<ContextFields[Name]> }>;

/** A value of the context that is missing or wrong, or more of them. */
export class ContextError extends Error {
  readonly code = 'BAD_CONTEXT';

  constructor(problems: readonly string[]) {
    super(
      `Nothing is synthesised before the context is right:\n${problems.map((each) => `  ${each}`).join('\n')}`,
    );
  }
}

/** @param found what it is instead; undefined: it is missing */
export function problemOf(name: ContextName, found?: unknown): string {
  const { allowed, example } = contextFields[name];
  const got = found === undefined ? 'it is missing' : `it is ${JSON.stringify(found)}`;
  return `${name}: expected ${allowed}, but ${got}. Example: -c ${name}=${example}`;
}

/** The context's values of ours, each checked by itself; problems are collected, so that one synth tells of all. */
export function readContext(context: Readonly<Record<string, unknown>>): {
  values: Partial<ContextValues>;
  problems: string[];
} {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(context)) {
    if (!isOurs(name)) continue;
    if (!isKnown(name)) {
      problems.push(`${name}: no such value. There are ${Object.keys(contextFields).join(', ')} and env`);
      continue;
    }
    const parsed = contextFields[name].schema.safeParse(given);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(problemOf(name, given));
  }
  // Each was parsed by the schema of its name.
  return { values: values as Partial<ContextValues>, problems };
}

/** The toolkit's own have a colon or an at sign, as `aws:cdk:…` and `@aws-cdk/…`. */
function isOurs(name: string): boolean {
  return name !== 'env' && !/[:@/]/.test(name);
}

function isKnown(name: string): name is ContextName {
  return Object.hasOwn(contextFields, name);
}
