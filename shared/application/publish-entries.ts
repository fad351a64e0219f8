import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { JsonObject } from '../engine/json.ts';
import type { LoadedVersion, MessagePublisher, Outbox, OutboxEntry } from './ports.ts';

export interface PublishDeps {
  readonly publisher: MessagePublisher;
  readonly outbox: Outbox;
}

export type Published = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Publishes what a transaction committed and deletes the rows. What fails stays for the timekeeper (I5). */
export type PublishEntries = (entries: readonly OutboxEntry[]) => Promise<Published>;

export function createPublishEntries({ publisher, outbox }: PublishDeps): PublishEntries {
  return async (entries) => {
    if (entries.length === 0) return { ok: true };
    try {
      await publisher.publish(entries.flatMap(({ messages }) => messages));
    } catch (error) {
      return { ok: false, reason: (error as Error).message };
    }
    // Published: a row that stays because its delete failed is a duplicate to come, no loss.
    await outbox.remove(entries.map(({ id }) => id)).catch(() => {});
    return { ok: true };
  };
}

/** The versions that messages name, each once. */
export function versionsOf(entries: readonly OutboxEntry[]): string[] {
  return [...new Set(entries.flatMap(({ messages }) => messages.flatMap(({ planOf }) => planOf ?? [])))];
}

/** The messages with the plans that they name put in; a definition that is gone leaves its message out. */
export function withPlans(entry: OutboxEntry, definitions: ReadonlyMap<string, LoadedVersion>): OutboxEntry {
  const messages = entry.messages.flatMap(({ planOf, ...message }) => {
    if (planOf === undefined) return [message];
    const found = definitions.get(planOf);
    if (found === undefined) return [];
    const { run_id, ...rest } = message.value;
    const workflow_plan = planMessage(found.definition, found.version);
    return [{ ...message, value: { run_id: run_id ?? '', workflow_plan, ...rest } }];
  });
  return { ...entry, messages };
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
