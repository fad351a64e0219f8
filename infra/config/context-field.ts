import * as z from 'zod';

/** One value of the context: what it must be, in words, and how it is given. */
export interface ContextField<T> {
  readonly schema: z.ZodType<T>;
  readonly allowed: string;
  readonly example: string;
}

export type ValueOf<F> = F extends ContextField<infer T> ? T : never;

/** Values come as text from `-c name=value`, and as JSON from cdk.json. */
export function wholeNumber(from: number, to: number, example: number): ContextField<number> {
  const schema = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]);
  return {
    schema: schema.pipe(z.int().min(from).max(to)),
    allowed: `a whole number from ${from} to ${to}`,
    example: String(example),
  };
}

export function halfSteps(from: number, to: number, example: number): ContextField<number> {
  const schema = z.union([
    z.number(),
    z
      .string()
      .regex(/^\d+(\.\d+)?$/)
      .transform(Number),
  ]);
  return {
    schema: schema.pipe(z.number().min(from).max(to).multipleOf(0.5)),
    allowed: `a number from ${from} to ${to} in steps of 0.5`,
    example: String(example),
  };
}

export function oneOf<const Values extends readonly [string, ...string[]]>(
  ...values: Values
): ContextField<Values[number]> {
  return { schema: z.enum(values), allowed: `one of ${values.join(', ')}`, example: values[0] };
}

export function yesOrNo(example: boolean): ContextField<boolean> {
  const text = z.enum(['true', 'false']).transform((value) => value === 'true');
  return { schema: z.union([z.boolean(), text]), allowed: 'true or false', example: String(example) };
}

export function text(pattern: RegExp, allowed: string, example: string): ContextField<string> {
  return { schema: z.string().regex(pattern), allowed, example };
}

/** @param protocols with their colons */
export function url(protocols: readonly string[], allowed: string, example: string): ContextField<string> {
  const isOne = (value: string) => URL.canParse(value) && protocols.includes(new URL(value).protocol);
  return { schema: z.string().refine(isOne), allowed, example };
}

/** Several with commas, or a JSON array. */
export function list(
  pattern: RegExp,
  atLeast: number,
  allowed: string,
  example: string,
): ContextField<string[]> {
  const parts = z.string().transform((value) => value.split(',').map((part) => part.trim()));
  return {
    schema: z.union([z.array(z.string()), parts]).pipe(z.array(z.string().regex(pattern)).min(atLeast)),
    allowed,
    example,
  };
}
