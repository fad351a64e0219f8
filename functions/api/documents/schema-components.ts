import type * as z from 'zod';
import { type JsonSchema, jsonSchemaOf } from '../../../shared/documents/json-schema.ts';

/** Collects the schemas that have an `id`; what is handed out refers to them. */
export class SchemaComponents {
  readonly schemas: Record<string, JsonSchema> = {};

  add(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const { $schema: _dialect, $defs = {}, ...own } = inComponents(jsonSchemaOf(schema, io), io);
    for (const [name, definition] of Object.entries($defs)) {
      const id = componentId(name, io);
      const known = this.schemas[id];
      if (known && JSON.stringify(known) !== JSON.stringify(definition)) {
        throw new Error(`Two schemas have the id ${id}`);
      }
      this.schemas[id] = definition;
    }
    return own;
  }
}

/** What is sent may leave out what is always shown: where it is part of both, the two are not the same. */
function componentId(id: string, io: 'input' | 'output'): string {
  return io === 'input' ? `${id}Input` : id;
}

function inComponents(schema: JsonSchema, io: 'input' | 'output'): JsonSchema {
  return JSON.parse(
    JSON.stringify(schema).replaceAll(
      /"\$ref":"#\/\$defs\/([^"]+)"/g,
      (_, id: string) => `"$ref":"#/components/schemas/${componentId(id, io)}"`,
    ),
  );
}
