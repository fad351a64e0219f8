import type { JsonSchema } from '../../../shared/documents/json-schema.ts';

const byFormat: Readonly<Record<string, string>> = {
  'date-time': '2025-12-09T12:00:00.000Z',
  date: '2025-12-09',
  uuid: '550e8400-e29b-41d4-a716-446655440000',
};

/**
 * A value of the schema, put together from the examples in it. What may be left out is, where it has no example of its own.
 * @param definitions by the last part of a `$ref`
 */
export function exampleOf(schema: JsonSchema, definitions: Readonly<Record<string, JsonSchema>>): unknown {
  const of = (part: JsonSchema) => exampleOf(part, definitions);
  if (Array.isArray(schema.examples)) return schema.examples[0];
  if (schema.$ref !== undefined) {
    const target = definitions[schema.$ref.split('/').at(-1) ?? ''];
    if (!target) throw new Error(`Nothing is at ${schema.$ref}`);
    return of(target);
  }
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const options = schema.anyOf ?? schema.oneOf;
  if (options?.[0]) return of(options[0]);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case 'object':
      return exampleOfObject(schema, of, definitions);
    case 'array':
      return isSchema(schema.items) ? [of(schema.items)] : [];
    case 'string':
      return byFormat[schema.format ?? ''] ?? 'text';
    case 'integer':
    case 'number':
      return schema.minimum ?? 1;
    case 'boolean':
      return true;
    default:
      return null;
  }
}

function exampleOfObject(
  { properties = {}, required = [], additionalProperties }: JsonSchema,
  of: (part: JsonSchema) => unknown,
  definitions: Readonly<Record<string, JsonSchema>>,
): object {
  const shown = Object.entries(properties).flatMap(([name, part]) => {
    if (!isSchema(part)) return [];
    return required.includes(name) || hasExample(part, definitions) ? [[name, of(part)] as const] : [];
  });
  if (shown.length > 0 || !isSchema(additionalProperties) || !hasExample(additionalProperties, definitions)) {
    return Object.fromEntries(shown);
  }
  const value = of(additionalProperties);
  const name =
    value !== null && typeof value === 'object' && 'node_id' in value ? String(value.node_id) : 'name';
  return { [name]: value };
}

function hasExample(schema: JsonSchema, definitions: Readonly<Record<string, JsonSchema>>): boolean {
  if (schema.examples !== undefined) return true;
  const target = schema.$ref === undefined ? undefined : definitions[schema.$ref.split('/').at(-1) ?? ''];
  return target !== undefined;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
