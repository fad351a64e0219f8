import { LRUCache } from 'lru-cache';
import type { Agent } from './agent.ts';
import type { AgentRegistry, RegistryLookup } from './agent-registry.ts';

export interface RegistryMemoryOptions {
  /** Never rejects, and ends in a bounded time. */
  readonly ask: (agentName: string) => Promise<RegistryLookup>;
  /** Epoch milliseconds. */
  readonly clock: () => number;
}

const FOUND_FOR_MS = 60_000;
/** What was found is held on to while the registry cannot tell. */
const HELD_FOR_MS = 3_600_000;
const UNKNOWN_FOR_MS = 10_000;
/** After a failure, and twice as long after each further one. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** A lookup that brought nothing for so long has met silence. */
const SILENCE_MS = 1_000;
/** So many in a row, and nothing is asked until a pause is over. Fewer may be trouble with one agent alone. */
const SILENCES = 3;
/** Who holds an older answer waits for a new one where the registry takes no longer these days. */
const PROMPT_MS = 150;
const MAX_KEPT = 10_000;

type Unavailable = Extract<RegistryLookup, { status: 'unavailable' }>;

interface Kept {
  answer: RegistryLookup | null;
  /** Until then it is not asked again. */
  until: number;
  /** Until then what was found holds, while it is asked again. */
  heldUntil: number;
  asking: Promise<RegistryLookup> | null;
  failures: number;
}

/**
 * What a registry has told, and how it answers these days. One that hangs costs the runs that need it their time, and others next to
 * nothing: an agent is asked for once at a time, and failures are remembered for a growing while, those of the whole registry too.
 */
export class RegistryMemory implements AgentRegistry {
  readonly #options: RegistryMemoryOptions;
  readonly #kept = new LRUCache<string, Kept>({ max: MAX_KEPT });
  /** When the lookups began that are not answered yet. */
  readonly #underWay = new Set<{ readonly since: number }>();
  #lastTookMs = 0;
  #silences = 0;
  #silentUntil = 0;
  #silence: Unavailable | null = null;

  constructor(options: RegistryMemoryOptions) {
    this.#options = options;
  }

  async lookup(agentName: string): Promise<RegistryLookup> {
    const kept = this.#keptOf(agentName);
    const asking = this.#askIfNeeded(agentName, kept);
    const now = this.#options.clock();
    const held = this.#answerOf(kept, now);
    if (asking === null) return held ?? this.#silentAnswer(now);
    return held !== null && this.#isSlowerThan(PROMPT_MS) ? held : asking;
  }

  known(agentName: string): Agent | null | undefined {
    const kept = this.#kept.get(agentName);
    if (kept === undefined) return undefined;
    const now = this.#options.clock();
    const answer = this.#answerOf(kept, now);
    if (answer?.status === 'unknown') return null;
    // What is old is asked for first, unless that is under way or in vain.
    const isAskable = kept.until <= now && kept.asking === null && !this.#isSilent(now);
    return answer?.status === 'found' && !isAskable ? answer.agent : undefined;
  }

  async lookUp(agentNames: readonly string[], patienceMs: number): Promise<void> {
    const asked = agentNames.flatMap((name) => this.#askIfNeeded(name, this.#keptOf(name)) ?? []);
    if (asked.length === 0 || this.#isSlowerThan(patienceMs)) return;
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, patienceMs);
    await Promise.race([Promise.all(asked), over.promise]);
    clearTimeout(timer);
  }

  /** Whoever waited before has waited in vain. */
  #isSlowerThan(patienceMs: number): boolean {
    const now = this.#options.clock();
    return this.#lastTookMs > patienceMs || this.#overdue(now, patienceMs) > 0;
  }

  /** Nothing came of several lookups, or nothing has come of them for long. */
  #isSilent(now: number): boolean {
    return this.#silentUntil > now || this.#overdue(now, SILENCE_MS) >= SILENCES;
  }

  #overdue(now: number, patienceMs: number): number {
    return [...this.#underWay].filter(({ since }) => now - since > patienceMs).length;
  }

  #silentAnswer(now: number): RegistryLookup {
    const retryAfterMs = Math.max(this.#silentUntil - now, FIRST_PAUSE_MS);
    const message = 'The agent registry could not be asked: it does not answer these days';
    return { status: 'unavailable', message, ...this.#silence, retryAfterMs };
  }

  #keptOf(agentName: string): Kept {
    let kept = this.#kept.get(agentName);
    if (kept === undefined) {
      kept = { answer: null, until: 0, heldUntil: 0, asking: null, failures: 0 };
      this.#kept.set(agentName, kept);
    }
    return kept;
  }

  /** What holds now; null: nothing does. */
  #answerOf({ answer, until, heldUntil }: Kept, now: number): RegistryLookup | null {
    if (answer?.status === 'found') return heldUntil > now ? answer : null;
    if (answer === null || until <= now) return null;
    return answer.status === 'unavailable' ? { ...answer, retryAfterMs: until - now } : answer;
  }

  /** @returns the answer to come; null where there is nothing to ask, or nobody to be asked */
  #askIfNeeded(agentName: string, kept: Kept): Promise<RegistryLookup> | null {
    const now = this.#options.clock();
    if (kept.asking !== null) return kept.asking;
    if (kept.until > now || this.#isSilent(now)) return null;
    const lookup = { since: now };
    this.#underWay.add(lookup);
    kept.asking = this.#options.ask(agentName).then((answer) => {
      this.#underWay.delete(lookup);
      kept.asking = null;
      return this.#keep(kept, answer, lookup.since);
    });
    return kept.asking;
  }

  #keep(kept: Kept, answer: RegistryLookup, since: number): RegistryLookup {
    const now = this.#options.clock();
    this.#lastTookMs = now - since;
    if (answer.status !== 'unavailable') {
      this.#silences = 0;
      kept.failures = 0;
      kept.answer = answer;
      kept.until = now + (answer.status === 'found' ? FOUND_FOR_MS : UNKNOWN_FOR_MS);
      kept.heldUntil = now + HELD_FOR_MS;
      return answer;
    }
    kept.failures++;
    kept.until = now + pauseAfter(kept.failures);
    if (kept.answer?.status !== 'found' || kept.heldUntil <= now) kept.answer = answer;
    if (this.#lastTookMs >= SILENCE_MS) {
      this.#silences++;
      this.#silence = answer;
      if (this.#silences >= SILENCES) this.#silentUntil = now + pauseAfter(this.#silences - SILENCES + 1);
    }
    return this.#answerOf(kept, now) ?? answer;
  }
}

function pauseAfter(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
}
