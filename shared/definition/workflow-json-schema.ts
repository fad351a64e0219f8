import { type JsonSchema, jsonSchemaOf } from '../documents/json-schema.ts';
import { workflowDefinition } from './workflow-definition.ts';

/**
 * JSON Schema 2020-12 of a definition, for editors and checks before it is sent. It knows shapes: references between steps,
 * loops and paths are checked where a definition is registered.
 * @param id the URL that it is served at
 */
export function workflowJsonSchema(id: string): JsonSchema {
  const { $schema, ...schema } = jsonSchemaOf(workflowDefinition, 'input');
  return {
    $schema,
    $id: id,
    title: 'Stepline workflow definition',
    description:
      'Steps by id, each with its agent, the step after it, and what the agent gets. That steps exist, are reached and read what is there is checked at registration.',
    ...schema,
  } as JsonSchema;
}
