import type { WorkflowDefinition } from '../definition/workflow-definition.ts';

const MAX_CHARACTERS = 16 * 1024 * 1024;

interface CachedDefinition {
  readonly versionId: string;
  readonly definition: WorkflowDefinition;
  readonly characters: number;
}

/**
 * The definition that a workflow had when it was last executed here. Versions are immutable, so nothing is stale: whoever asks
 * names the version that the database just told. Bounded by the definitions' text; the longest unused go first.
 */
export class DefinitionCache {
  readonly #entries = new Map<string, CachedDefinition>();
  #characters = 0;

  get(workflowId: string): CachedDefinition | undefined {
    return this.#entries.get(workflowId);
  }

  add(workflowId: string, versionId: string, text: string): WorkflowDefinition {
    const definition = JSON.parse(text) as WorkflowDefinition;
    this.#remove(workflowId);
    this.#entries.set(workflowId, { versionId, definition, characters: text.length });
    this.#characters += text.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#characters <= MAX_CHARACTERS) break;
      this.#remove(oldest);
    }
    return definition;
  }

  /** Makes an entry the most recently used. */
  touch(workflowId: string): void {
    const entry = this.#entries.get(workflowId);
    if (!entry) return;
    this.#entries.delete(workflowId);
    this.#entries.set(workflowId, entry);
  }

  #remove(workflowId: string): void {
    const entry = this.#entries.get(workflowId);
    if (!entry) return;
    this.#entries.delete(workflowId);
    this.#characters -= entry.characters;
  }
}
