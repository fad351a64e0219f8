import type { z } from 'zod';
import { type JsonSchema, jsonSchemaOf } from '../../../shared/documents/json-schema.ts';

/** Collects the schemas that have an `id`; what is handed out refers to them. */
export class SchemaComponents {
  readonly schemas: Record<string, JsonSchema> = {};

  add(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const { $schema: _dialect, $defs = {}, ...own } = inComponents(jsonSchemaOf(schema, io));
    for (const [id, definition] of Object.entries($defs)) {
      const known = this.schemas[id];
      if (known && JSON.stringify(known) !== JSON.stringify(definition)) {
        throw new Error(`Two schemas have the id ${id}`);
      }
      this.schemas[id] = definition;
    }
    return own;
  }
}

function inComponents(schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/'));
}
