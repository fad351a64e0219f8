import { z } from 'zod';
import { isJsonObject } from '../engine/json.ts';

/** The fields that a schema knows of the object at a path of its input; empty where there is no object of known fields. */
export function knownFields(
  schema: z.core.$ZodType,
  input: unknown,
  path: readonly PropertyKey[],
): readonly string[] {
  return formsOf(schema, input).flatMap((form): readonly string[] => {
    const [key, ...rest] = path;
    if (key === undefined) return form instanceof z.ZodObject ? Object.keys(form.shape) : [];
    const part = partOf(form, key);
    return part === null ? [] : knownFields(part, valueAt(input, key), rest);
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
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodReadonly
  ) {
    return formsOf(schema.unwrap(), input);
  }
  if (schema instanceof z.ZodPipe) return formsOf(schema.in, input);
  if (schema instanceof z.ZodUnion) {
    const options = schema.options.flatMap((option) => formsOf(option, input));
    return schema instanceof z.ZodDiscriminatedUnion
      ? options.filter((option) => hasTag(option, schema.def.discriminator, input))
      : options;
  }
  return [schema];
}

function hasTag(option: z.core.$ZodType, tag: string, input: unknown): boolean {
  const part = partOf(option, tag);
  return part !== null && z.safeParse(part, valueAt(input, tag)).success;
}
