import type { Agent, BenchServers, BenchStack, HttpAgent } from './bench-stack.ts';
import { type BenchOptions, startBenchStack } from './bench-stack.ts';
import type { Meters } from './cost.ts';

/** What every part measures with. */
export interface Bench {
  readonly servers: BenchServers;
  readonly meters: Meters;
  readonly agents: { readonly inProcess: Agent; readonly http: HttpAgent };
  /** Commits per second of this machine, each time that it was measured. */
  readonly commitRates: number[];
  readonly settings: BenchSettings;
}

export interface BenchSettings {
  /** Of a drained load at the larger batch sizes; the other loads are fractions of it. */
  readonly runs: number;
  readonly batchSizes: readonly number[];
  /** How many finished attempts the tables are filled with. */
  readonly rows: number;
}

/** What a part found, by names that the targets know. */
export type Figures = Readonly<Record<string, number>>;

/** Prints what it measures. */
export type Part = (bench: Bench) => Promise<Figures>;

export const PARTITIONS = 4;

export async function withStack<Result>(
  bench: Bench,
  options: Pick<BenchOptions, 'batchSize' | 'agent'> & Partial<BenchOptions>,
  measure: (stack: BenchStack) => Promise<Result>,
): Promise<Result> {
  const stack = await startBenchStack({ servers: bench.servers, partitions: PARTITIONS, ...options });
  try {
    return await measure(stack);
  } finally {
    await stack.stop();
  }
}
