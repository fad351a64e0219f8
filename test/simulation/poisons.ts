import type { Changes } from '../../shared/application/ports/run-store.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import { failure } from '../support/memory-tables.ts';

/** What the store says of a poisoned record: one of each class of errors, and one that nobody has heard of. */
export const POISONS = [
  'VALUE_REFUSED',
  'UNIQUE_VIOLATION',
  'CONSTRAINT_VIOLATION',
  'STALE_DECISION',
  'STATEMENT_TIMEOUT',
  'UNHEARD_OF',
] as const;
export type PoisonCode = (typeof POISONS)[number];

interface Poison {
  readonly stepId: string;
  readonly code: PoisonCode;
}

/** Runs of which one step cannot be completed, whatever it is tried with: its row is refused, and with it its whole batch. */
export class Poisons {
  readonly #byRun = new Map<string, Poison>();
  readonly #store: MemoryStore;
  /** How often each was met. */
  readonly met = new Map<string, number>();

  constructor(store: MemoryStore) {
    this.#store = store;
    store.onSave = (changes) => this.#check(changes);
  }

  add(runId: string, poison: Poison): void {
    this.#byRun.set(runId, poison);
  }

  get(runId: string): Poison | undefined {
    return this.#byRun.get(runId);
  }

  heal(runId: string): void {
    this.#byRun.delete(runId);
  }

  #check({ closed }: Changes): void {
    for (const { stepExecutionId, stepId, status } of closed) {
      const poison = this.#byRun.get(this.#store.attempts.get(stepExecutionId)?.runId ?? '');
      if (status !== 'COMPLETED' || poison?.stepId !== stepId) continue;
      this.met.set(poison.code, (this.met.get(poison.code) ?? 0) + 1);
      throw failure(poison.code);
    }
  }
}
