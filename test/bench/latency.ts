import { apiContext, apiEvent } from '../support/api-event.ts';
import type { BenchStack } from './bench-stack.ts';

export interface Latency {
  /** From the request to its 202, p50, in milliseconds. */
  readonly startP50Ms: number;
  /** From the request to the commit of the run's end, p50, in milliseconds. */
  readonly runP50Ms: number;
}

/** Runs one after another, each by a request to the API's handler. */
export async function measureLatency(stack: BenchStack, runs: number): Promise<Latency> {
  const request = {
    method: 'POST',
    path: `/api/v1/workflows/${stack.workflow.id}/execute`,
    headers: { 'X-API-Key': stack.apiKey },
    body: { input_data: stack.shape.input },
  };
  const starts: number[] = [];
  const ends: number[] = [];
  for (let i = 0; i < runs; i++) {
    const completed = stack.completions(1);
    const began = performance.now();
    const answer = await stack.api(apiEvent(request), apiContext);
    starts.push(performance.now() - began);
    if (answer.statusCode !== 202) throw new Error(`Execute answered ${answer.statusCode}: ${answer.body}`);
    await completed;
    ends.push(performance.now() - began);
  }
  return { startP50Ms: median(starts), runP50Ms: median(ends) };
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}
