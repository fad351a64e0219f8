import type { BenchStack } from './bench-stack.ts';
import { cpuSecondsOfTree } from './cpu.ts';
import type { countStatements } from './statement-count.ts';

export interface Throughput {
  readonly stepsPerSecond: number;
  readonly statementsPerStep: number;
  readonly commitsPerStep: number;
  /** Microseconds of CPU per step, by process; null where the platform does not tell. */
  readonly cpuPerStepUs: Readonly<Record<string, number | null>>;
}

export interface Meters {
  readonly statements: ReturnType<typeof countStatements>;
  readonly pids: Readonly<Record<string, number>>;
}

/** Starts `runs` while the mappings are held, then times how long they take to carry them all to their end. */
export async function measureThroughput(
  stack: BenchStack,
  runs: number,
  meters: Meters,
): Promise<Throughput> {
  stack.hold(true);
  await startRuns(stack, runs);
  const before = { ...meters.statements, cpu: readCpu(meters.pids) };
  const began = performance.now();
  const completed = stack.completions(runs);
  stack.hold(false);
  await completed;
  const seconds = (performance.now() - began) / 1_000;
  const steps = runs * stack.shape.steps;
  const cpu = readCpu(meters.pids);
  return {
    stepsPerSecond: steps / seconds,
    statementsPerStep: (meters.statements.statements - before.statements) / steps,
    commitsPerStep: (meters.statements.commits - before.commits) / steps,
    cpuPerStepUs: Object.fromEntries(
      Object.entries(cpu).map(([name, value]) => {
        const earlier = before.cpu[name] ?? null;
        return [name, value === null || earlier === null ? null : ((value - earlier) * 1e6) / steps];
      }),
    ),
  };
}

async function startRuns({ services, shape, workflow }: BenchStack, runs: number): Promise<void> {
  for (let i = 0; i < runs; i++) {
    await services.startRun({
      owner: 'bench',
      triggeredBy: 'bench',
      workflow,
      inputData: shape.input,
      variables: undefined,
      communityId: null,
      metadata: null,
    });
  }
}

function readCpu(pids: Readonly<Record<string, number>>): Record<string, number | null> {
  const own = process.cpuUsage();
  return {
    node: (own.user + own.system) / 1e6,
    ...Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSecondsOfTree(pid)])),
  };
}
