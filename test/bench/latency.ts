import type { BenchStack } from './bench-stack.ts';

export interface Latency {
  /** From the request to its 202, p50, in milliseconds. */
  readonly startP50Ms: number;
  /** From the request to the commit of the run's end, p50, in milliseconds. */
  readonly runP50Ms: number;
}

/** Runs one after another, each by a request to the API's handler. */
export async function measureLatency(stack: BenchStack, runs: number): Promise<Latency> {
  const starts: number[] = [];
  const ends: number[] = [];
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    const runId = await stack.execute(stack.shape.input);
    starts.push(performance.now() - began);
    await stack.ended.completionOf(runId);
    ends.push(performance.now() - began);
  }
  return { startP50Ms: median(starts), runP50Ms: median(ends) };
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}
