import { formatTable } from '../../localstack/cli/table.ts';
import { type Bench, type Figures, withStack } from './bench.ts';
import { cpuMsOf } from './cost.ts';
import { median } from './latency.ts';
import { measureDrained } from './loads.ts';
import { loopOf, mapOf, parallelOf, type Shape, sequenceOf } from './workflow-shapes.ts';

/*
 * What a step costs must not grow with its run: long sequences, loops, wide branches and many items are compared with short and
 * small ones by the CPU that all processes spend for a step.
 */

const BATCH_SIZE = 100;

interface Comparison {
  readonly large: Shape;
  readonly small: Shape;
  /** At once: as many steps are under way in both, so that batches are as full. */
  readonly runs: { readonly large: number; readonly small: number };
}

const COMPARISONS: readonly Comparison[] = [
  { large: sequenceOf(1_000), small: sequenceOf(5), runs: { large: 20, small: 20 } },
  { large: loopOf(10_000), small: loopOf(100), runs: { large: 2, small: 2 } },
  { large: parallelOf(500), small: sequenceOf(5), runs: { large: 10, small: 5_000 / 5 } },
  { large: mapOf(10_000), small: mapOf(500), runs: { large: 1, small: 1 } },
];
/** A small shape is repeated until it has had as many steps as that. */
const STEPS_MEASURED = 5_000;

interface ShapeCost {
  /** Null where the platform does not tell. */
  readonly cpuMs: number | null;
  readonly statements: number;
  /** Of this process, which carries all functions, after the runs. */
  readonly residentMiB: number;
}

export async function shapesPart(bench: Bench): Promise<Figures> {
  const rows: string[][] = [];
  const figures: [string, number][] = [];
  for (const { large, small, runs } of COMPARISONS) {
    const ofSmall = await measureShape(bench, small, runs.small);
    const ofLarge = await measureShape(bench, large, runs.large);
    const both = (read: (cost: ShapeCost) => number | null, digits: number) =>
      [ofLarge, ofSmall].map((cost) => read(cost)?.toFixed(digits) ?? '–').join(' / ');
    const ratio = ofLarge.cpuMs === null || ofSmall.cpuMs === null ? null : ofLarge.cpuMs / ofSmall.cpuMs;
    if (ratio !== null) figures.push([`${large.name} CPU ratio`, ratio]);
    rows.push([
      large.name,
      small.name,
      both(({ cpuMs }) => cpuMs, 2),
      ratio?.toFixed(2) ?? '–',
      both(({ statements }) => statements, 2),
      both(({ residentMiB }) => residentMiB, 0),
    ]);
  }
  console.log('\nWhat a step costs in a large run, against a small one (batch size 100, agents in process):');
  console.log(formatTable(['large', 'small', 'CPU ms/step', 'ratio', 'statements/step', 'node MiB'], rows));
  return Object.fromEntries(figures);
}

/** Medians of what it takes again and again. */
export async function measureShape(bench: Bench, shape: Shape, runs: number): Promise<ShapeCost> {
  const agent = { kind: 'in-process' as const, ...(shape.answer && { answer: shape.answer }) };
  return withStack(bench, { agent, batchSize: BATCH_SIZE, shape }, async (stack) => {
    const stepsOnce = runs * shape.steps;
    // To warm up; what takes minutes is warm by then.
    if (stepsOnce < STEPS_MEASURED * 2) await measureDrained(stack, runs, bench.meters);
    const measured: { cpuMs: number | null; statements: number }[] = [];
    do {
      const cost = await measureDrained(stack, runs, bench.meters);
      measured.push({ cpuMs: cpuMsOf(cost), statements: cost.statements });
    } while (measured.length * stepsOnce < STEPS_MEASURED);
    const told = measured.flatMap(({ cpuMs }) => cpuMs ?? []);
    return {
      cpuMs: told.length === 0 ? null : median(told),
      statements: median(measured.map(({ statements }) => statements)),
      residentMiB: process.memoryUsage().rss / 2 ** 20,
    };
  });
}
