/** Chance that can be had again: everything that a simulation draws comes from one seed. */
export interface Random {
  /** Evenly in [0, 1). */
  next(): number;
  /** Evenly in 0 … count - 1. */
  int(count: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (count: number) => Math.floor(next() * count);
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (list) => {
      if (list.length === 0) throw new Error('Nothing to pick from');
      return list[int(list.length)] as (typeof list)[number];
    },
  };
}

/** `SEED=123` replays one simulation, with everything that happened in it. */
export function seedToReplay(): number | null {
  const given = process.env.SEED;
  return given === undefined ? null : Number(given);
}
