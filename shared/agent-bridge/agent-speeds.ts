import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { AgentSpeed, StoredSpeed } from '../persistence/agent-calls.ts';

/** Where an agent is, and whose: one of the registry, or everybody's, has no owner. */
export interface AgentIdentity {
  readonly name: string;
  readonly owner: string | null;
  readonly address: string;
}

/** Calls above this, on average, are not made where they hold back the tasks behind them. */
const SLOW_MS = 1_000;
/** How much the last call counts in the average: what hangs one time in ten is not for where others wait. */
const WEIGHT = { slower: 0.3, quicker: 0.1 } as const;
/** A figure that nobody has measured again for so long tells nothing any more. */
const KNOWN_FOR_MS = 7 * 86_400_000;
/** It need not be exact: each environment tells the others that seldom, or at once where it is another than they believe. */
const TELL_EVERY_MS = 60_000;
/** What is more than twice as much, or less than half, is another; below so much nobody asks. */
const ANOTHER = { times: 2, fromMs: 25 } as const;
/** How much longer than on average a call may take before it is taken for one that hangs, within bounds. */
const PATIENCE = { times: 10, atLeastMs: 3_000, atMostMs: 10_000 } as const;
const MAX_KEPT = 1_000;

interface Known {
  readonly averageMs: number;
  readonly at: number;
  /** What the others were told last. */
  readonly told: { readonly averageMs: number; readonly at: number } | null;
}

/**
 * How long agents take to answer. What one environment has measured all know; an agent that nobody has called is not known to be quick,
 * and neither is one that is slow: both are called where nobody waits behind them, and measured there.
 */
export class AgentSpeeds {
  readonly #clock: () => number;
  readonly #known = new LRUCache<string, Known>({ max: MAX_KEPT });

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** What the database says, where it is newer than what is known here. */
  learn(agent: AgentIdentity, { addressHash, averageMs, ageMs }: StoredSpeed): void {
    const at = this.#clock() - ageMs;
    if (!addressHash.equals(hashOf(agent.address)) || at <= (this.#recent(agent)?.at ?? 0)) return;
    this.#known.set(keyOf(agent), { averageMs, at, told: { averageMs, at } });
  }

  isQuick(agent: AgentIdentity): boolean {
    return this.answersWithin(agent, SLOW_MS);
  }

  /** On average. */
  answersWithin(agent: AgentIdentity, limitMs: number): boolean {
    return (this.#recent(agent)?.averageMs ?? Number.POSITIVE_INFINITY) <= limitMs;
  }

  /** Of a quick one: after so long without an answer it hangs. */
  patienceMs(agent: AgentIdentity): number {
    const { times, atLeastMs, atMostMs } = PATIENCE;
    const usual = (this.#recent(agent)?.averageMs ?? 0) * times;
    return Math.min(Math.max(usual, atLeastMs), atMostMs);
  }

  /**
   * @param isGivenUp it took longer, nobody knows how long: at least until it is measured where it has its time, it is slow
   * @returns what is to be told to the others, if anything
   */
  record(agent: AgentIdentity, durationMs: number, { isGivenUp = false } = {}): AgentSpeed | null {
    const before = this.#recent(agent);
    const averageMs = Math.max(averageOf(before, durationMs), isGivenUp ? 2 * SLOW_MS : 0);
    const at = this.#clock();
    const told = before?.told ?? null;
    const isNews = told === null || isAnother(told.averageMs, averageMs) || at - told.at >= TELL_EVERY_MS;
    this.#known.set(keyOf(agent), { averageMs, at, told: isNews ? { averageMs, at } : told });
    if (!isNews) return null;
    const { name, owner, address } = agent;
    return { name, owner, addressHash: hashOf(address), averageMs: Math.round(averageMs) };
  }

  #recent(agent: AgentIdentity): Known | undefined {
    const known = this.#known.get(keyOf(agent));
    return known && this.#clock() - known.at <= KNOWN_FOR_MS ? known : undefined;
  }
}

/** Of an address, which may hold what is nobody's to read. */
export function hashOf(address: string): Buffer {
  return createHash('sha256').update(address).digest();
}

function isAnother(one: number, other: number): boolean {
  const [less = 0, more = 0] = [one, other].map((ms) => Math.max(ms, ANOTHER.fromMs)).sort((a, b) => a - b);
  return one <= SLOW_MS !== other <= SLOW_MS || more > ANOTHER.times * less;
}

function averageOf(before: Known | undefined, durationMs: number): number {
  if (before === undefined) return durationMs;
  const weight = durationMs > before.averageMs ? WEIGHT.slower : WEIGHT.quicker;
  return before.averageMs + weight * (durationMs - before.averageMs);
}

function keyOf({ name, owner, address }: AgentIdentity): string {
  return JSON.stringify([name, owner, address]);
}
