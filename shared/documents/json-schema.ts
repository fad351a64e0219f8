import * as z from 'zod';

/** JSON Schema 2020-12. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;

const shown = z.registry<JsonSchema, z.core.$ZodType>();

/** Says how documents show a schema that JSON Schema cannot follow: one that reads its input by transformations. */
export function shownAs<Schema extends z.ZodType>(schema: Schema, jsonSchema: JsonSchema): Schema {
  shown.add(schema, jsonSchema);
  return schema;
}

/**
 * What a zod schema takes (`input`) or gives (`output`), as JSON Schema. Schemas with an `id` in their metadata are in `$defs`.
 * Checks in code (`refine`) and custom types say nothing here: what is documented may be wider than what is accepted.
 */
export function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const converted = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const instead = shown.get(zodSchema);
      if (instead) {
        const { description, examples } = jsonSchema;
        for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
        Object.assign(jsonSchema, {
          ...instead,
          ...(description && { description }),
          ...(examples && { examples }),
        });
      }
      // zod leaves the default of a transformation out of its input; ours are the same on both sides.
      const { def } = zodSchema._zod;
      if (def.type === 'default') jsonSchema.default = def.defaultValue;
    },
  });
  return withoutNumbered(converted);
}

/**
 * zod gives each part of a schema that contains itself a definition of its own, and those without an `id` a number. They stand in
 * their places here: each such circle of ours has an `id` in it.
 */
function withoutNumbered({ $defs = {}, ...schema }: JsonSchema): JsonSchema {
  const inPlace = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(inPlace);
    if (typeof part !== 'object' || part === null) return part;
    const { $ref, ...rest } = part as JsonSchema;
    const numbered = $ref?.startsWith('#/$defs/__') ? $defs[$ref.slice('#/$defs/'.length)] : undefined;
    if (numbered) return inPlace({ ...(numbered as JsonSchema), ...rest });
    const parts = Object.entries(part).map(([name, value]) => [name, inPlace(value)]);
    return Object.fromEntries(parts);
  };
  const named = Object.entries($defs).filter(([name]) => !name.startsWith('__'));
  return inPlace({
    ...schema,
    ...(named.length > 0 && { $defs: Object.fromEntries(named) }),
  }) as JsonSchema;
}
