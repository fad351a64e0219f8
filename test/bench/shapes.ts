import { type BenchServers, type Shape, sequenceOf, startBenchStack } from './bench-stack.ts';
import { type Meters, measureThroughput, type Throughput } from './throughput.ts';

/*
 * What a step costs must not grow with its run: long sequences, wide branches and many items are compared with short and small
 * ones by the CPU that all processes spend for a step.
 */

const BATCH_SIZE = 100;

const parallelOf = (width: number): Shape => ({
  name: `parallel of ${width}`,
  steps: width,
  input: { message: 'a message of an ordinary length' },
  definition(agent_name) {
    const step = { agent_name, input_mapping: { message: '$.workflow_input.message' } };
    const branches = Array.from({ length: width }, (_, i) => [
      `b${i}`,
      { start_step: `s${i}`, steps: { [`s${i}`]: step } },
    ]);
    return {
      start_step: 'all',
      steps: { all: { type: 'parallel', branches: Object.fromEntries(branches) } },
    };
  },
});

const mapOf = (items: number): Shape => ({
  name: `map of ${items}`,
  steps: items,
  input: { items: Array.from({ length: items }, (_, i) => i) },
  definition: (agent_name) => ({
    start_step: 'each',
    steps: {
      each: {
        type: 'map',
        items: '$.workflow_input.items',
        max_concurrency: 100,
        start_step: 'work',
        steps: { work: { agent_name, input_mapping: { message: '$.item' } } },
      },
    },
  }),
});

interface Comparison {
  readonly large: Shape;
  readonly small: Shape;
  /** At once: as many steps are under way in both, so that batches are as full. */
  readonly runs: { readonly large: number; readonly small: number };
}

const COMPARISONS: readonly Comparison[] = [
  { large: sequenceOf(1_000), small: sequenceOf(5), runs: { large: 20, small: 20 } },
  { large: parallelOf(500), small: sequenceOf(5), runs: { large: 10, small: 5_000 / 5 } },
  { large: mapOf(10_000), small: mapOf(500), runs: { large: 1, small: 1 } },
];
/** A small shape is repeated until it has had as many steps as that. */
const STEPS_MEASURED = 5_000;

export interface ShapeCost {
  readonly large: string;
  readonly small: string;
  /** Microseconds of CPU per step, of all processes; null where the platform does not tell. */
  readonly cpuPerStepUs: { readonly large: number; readonly small: number } | null;
  readonly statementsPerStep: { readonly large: number; readonly small: number };
  /** Of this process, which carries all functions, after the runs of each. */
  readonly residentMiB: { readonly large: number; readonly small: number };
}

export async function measureShapes(
  servers: BenchServers,
  meters: Meters,
  partitions: number,
): Promise<ShapeCost[]> {
  const costs: ShapeCost[] = [];
  for (const { large, small, runs } of COMPARISONS) {
    const [ofSmall, ofLarge] = [
      await measureShape(small, runs.small, { servers, meters, partitions }),
      await measureShape(large, runs.large, { servers, meters, partitions }),
    ];
    const both = <Value>(read: (cost: typeof ofLarge) => Value) => ({
      large: read(ofLarge),
      small: read(ofSmall),
    });
    const cpu = both((cost) => cost.cpuPerStepUs);
    costs.push({
      large: large.name,
      small: small.name,
      cpuPerStepUs: cpu.large === null || cpu.small === null ? null : { large: cpu.large, small: cpu.small },
      statementsPerStep: both((cost) => cost.statementsPerStep),
      residentMiB: both((cost) => cost.residentMiB),
    });
  }
  return costs;
}

async function measureShape(
  shape: Shape,
  runs: number,
  { servers, meters, partitions }: { servers: BenchServers; meters: Meters; partitions: number },
) {
  const agent = { kind: 'in-process' } as const;
  const stack = await startBenchStack({ servers, batchSize: BATCH_SIZE, partitions, agent, shape });
  try {
    const measured: Throughput[] = [];
    // The first is to warm up.
    do {
      measured.push(await measureThroughput(stack, runs, meters));
    } while (measured.length === 1 || (measured.length - 1) * runs * shape.steps < STEPS_MEASURED);
    const counted = measured.slice(1);
    const mean = (read: (one: Throughput) => number) =>
      counted.reduce((sum, one) => sum + read(one), 0) / counted.length;
    const isTold = counted.every(({ cpuPerStepUs }) =>
      Object.values(cpuPerStepUs).every((cpu) => cpu !== null),
    );
    return {
      cpuPerStepUs: isTold
        ? mean(({ cpuPerStepUs }) =>
            Object.values(cpuPerStepUs).reduce<number>((sum, cpu) => sum + (cpu ?? 0), 0),
          )
        : null,
      statementsPerStep: mean(({ statementsPerStep }) => statementsPerStep),
      residentMiB: process.memoryUsage().rss / 2 ** 20,
    };
  } finally {
    await stack.stop();
  }
}
