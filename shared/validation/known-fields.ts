import * as z from 'zod';
import { isJsonObject } from '../engine/json.ts';

/** The fields that a schema knows of the object at a path of its input; empty where there is no object of known fields. */
export function knownFields(
  schema: z.core.$ZodType,
  input: unknown,
  path: readonly PropertyKey[],
): readonly string[] {
  return schemasAt(schema, input, path).flatMap(({ schema, input }) =>
    formsOf(schema, input).flatMap((form) => (form instanceof z.ZodObject ? Object.keys(form.shape) : [])),
  );
}

/** The tags of those kinds of the object at a path which know a field that the kind it is of does not. */
export function tagsWithField(
  schema: z.core.$ZodType,
  input: unknown,
  path: readonly PropertyKey[],
  field: string,
): readonly string[] {
  return schemasAt(schema, input, path).flatMap(({ schema }) => {
    const union = unwrapped(schema);
    if (!(union instanceof z.ZodDiscriminatedUnion)) return [];
    return union.options
      .filter((option) => partOf(option, field) !== null)
      .flatMap((option) => {
        const part = partOf(option, union.def.discriminator);
        const tag = part && unwrapped(part);
        return tag instanceof z.ZodLiteral ? [...tag.values].map(String) : [];
      });
  });
}

interface Judged {
  readonly schema: z.core.$ZodType;
  readonly input: unknown;
}

/** What judges the value at a path of the input. */
function schemasAt(schema: z.core.$ZodType, input: unknown, path: readonly PropertyKey[]): readonly Judged[] {
  const [key, ...rest] = path;
  if (key === undefined) return [{ schema, input }];
  return formsOf(schema, input).flatMap((form) => {
    const part = partOf(form, key);
    return part === null ? [] : schemasAt(part, valueAt(input, key), rest);
  });
}

function partOf(form: z.core.$ZodType, key: PropertyKey): z.core.$ZodType | null {
  if (form instanceof z.ZodObject) return Object.hasOwn(form.shape, key) ? form.shape[String(key)] : null;
  if (form instanceof z.ZodArray) return form.element;
  if (form instanceof z.ZodRecord) return form.valueType;
  return null;
}

/** What stands at a key of an object or a place of a list; undefined where nothing does. */
export function valueAt(input: unknown, key: PropertyKey): unknown {
  if (Array.isArray(input)) return input[Number(key)];
  return isJsonObject(input) && Object.hasOwn(input, key) ? input[String(key)] : undefined;
}

/** The schemas inside wrappers; of a union, those that the input may have been meant for. */
function formsOf(schema: z.core.$ZodType, input: unknown): z.core.$ZodType[] {
  const form = unwrapped(schema);
  if (!(form instanceof z.ZodUnion)) return [form];
  const options = form.options.flatMap((option) => formsOf(option, input));
  return form instanceof z.ZodDiscriminatedUnion
    ? options.filter((option) => hasTag(option, form.def.discriminator, input))
    : options;
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodLazy
  ) {
    return unwrapped(schema.unwrap());
  }
  return schema instanceof z.ZodPipe ? unwrapped(schema.in) : schema;
}

function hasTag(option: z.core.$ZodType, tag: string, input: unknown): boolean {
  const part = partOf(option, tag);
  return part !== null && z.safeParse(part, valueAt(input, tag)).success;
}
