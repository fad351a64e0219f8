import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { JsonObject } from '../engine/json.ts';
import type { OutboxEntry, OutgoingMessage } from './ports/publishing.ts';
import type { LoadedVersion } from './ports/run-store.ts';

/** The versions that messages name, each once. */
export function versionsOf(messages: readonly OutgoingMessage[]): string[] {
  return [...new Set(messages.flatMap(({ planOf }) => planOf ?? []))];
}

/** The messages with the plans that they name put in; a definition that is gone leaves its message out. */
export function withPlans(entry: OutboxEntry, definitions: ReadonlyMap<string, LoadedVersion>): OutboxEntry {
  return { ...entry, messages: entry.messages.flatMap((message) => withPlan(message, definitions) ?? []) };
}

/** The message with the plan that it names put in; null: its definition is gone. */
export function withPlan(
  { planOf, ...message }: OutgoingMessage,
  definitions: ReadonlyMap<string, LoadedVersion>,
): OutgoingMessage | null {
  if (planOf === undefined) return message;
  const found = definitions.get(planOf);
  if (found === undefined) return null;
  const { run_id, ...rest } = message.value;
  const workflow_plan = planMessage(found.definition, found.version);
  return { ...message, value: { run_id: run_id ?? '', workflow_plan, ...rest } };
}

/** The plan as execution requests carry it (api-executor-integration, Message Flow). */
function planMessage(definition: WorkflowDefinition, version: number): JsonObject {
  const { name, description: _description, start_step, steps, ...rest } = definition;
  const plan = {
    workflow_id: workflowIdOf(name, version),
    name,
    version: String(version),
    start_step,
    steps,
    ...rest,
  };
  return plan as unknown as JsonObject;
}

/** How runs name their workflow: `wf-<name>-<version>`. */
export function workflowIdOf(name: string, version: number): string {
  return `wf-${name}-${version}`;
}
