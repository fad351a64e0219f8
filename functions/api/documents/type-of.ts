import type { JsonSchema } from '../../../shared/documents/json-schema.ts';

/** A schema in a few words: `integer 1 to 1000, default 100`. */
export function typeOf(schema: JsonSchema): string {
  const { default: fallback, minimum, maximum } = schema;
  const range = minimum === undefined || maximum === undefined ? '' : ` ${minimum} to ${maximum}`;
  return `${nameOf(schema)}${range}${fallback === undefined ? '' : `, default ${JSON.stringify(fallback)}`}`;
}

function nameOf({ $ref, const: only, enum: some, anyOf, oneOf, type, format, items }: JsonSchema): string {
  if ($ref !== undefined) return $ref.split('/').at(-1) ?? '';
  if (only !== undefined) return JSON.stringify(only);
  if (some) return some.join(' | ');
  const options = anyOf ?? oneOf;
  if (options) return [...new Set(options.map(nameOf))].join(' | ');
  if (type === 'array' && typeof items === 'object' && !Array.isArray(items))
    return `list of ${nameOf(items)}`;
  return format ?? (type === undefined ? 'any' : String(type));
}
