import type { BenchStack } from './bench-stack.ts';
import { type Cost, type Meters, measureCost } from './cost.ts';

/** Starts `runs` while the mappings are held, then measures what a step costs until all have reached their end. */
export async function measureDrained(stack: BenchStack, runs: number, meters: Meters): Promise<Cost> {
  stack.hold(true);
  for (let i = 0; i < runs; i++) await startDirectly(stack);
  return measureCost(meters, runs * stack.shape.steps, async () => {
    const completed = stack.ended.completions(runs);
    stack.hold(false);
    await completed;
  });
}

/** A closed loop: so many runs are in flight, and each that ends makes room for the next, which a request to the API starts. */
export function measureArriving(
  stack: BenchStack,
  { runs, inFlight }: { readonly runs: number; readonly inFlight: number },
  meters: Meters,
): Promise<Cost> {
  let left = runs;
  const client = async () => {
    while (left-- > 0) await stack.ended.completionOf(await stack.execute(stack.shape.input));
  };
  return measureCost(meters, runs * stack.shape.steps, () =>
    Promise.all(Array.from({ length: Math.min(inFlight, runs) }, client)),
  );
}

/** Requests to the API one after another, while nothing takes up the runs. The cost is that of a start. */
export async function measureStarts(stack: BenchStack, runs: number, meters: Meters): Promise<Cost> {
  stack.hold(true);
  const runIds: string[] = [];
  const cost = await measureCost(meters, runs, async () => {
    for (let i = 0; i < runs; i++) runIds.push(await stack.execute(stack.shape.input));
  });
  stack.hold(false);
  await Promise.all(runIds.map((runId) => stack.ended.completionOf(runId)));
  return cost;
}

function startDirectly({ services, shape, workflow }: BenchStack) {
  return services.startRun({
    owner: 'bench',
    triggeredBy: 'bench',
    workflow,
    inputData: shape.input,
    variables: undefined,
    communityId: null,
    metadata: null,
  });
}
