import { formatTable } from '../../localstack/cli/table.ts';
import { type Bench, type Figures, withStack } from './bench.ts';
import { measureCommitRate } from './commit-rate.ts';
import { type Cost, cpuMsOf } from './cost.ts';
import { median } from './latency.ts';
import { measureArriving, measureDrained } from './loads.ts';

interface Measured {
  readonly agent: string;
  readonly batchSize: number;
  readonly inFlight: number | null;
  readonly cost: Cost;
}

/** How many runs are in flight under a load that arrives: the two ends of what a deployment sees. */
const IN_FLIGHT = { few: 64, many: 1_000 };

/** Loads that pile up before they are carried out: batches are as full as can be. */
export async function drainedPart(bench: Bench): Promise<Figures> {
  const measured = await eachAgentAndBatch(bench, async (stack, batchSize) => {
    // A batch of one is slower by an order of magnitude; it says as much in fewer runs.
    const runs = batchSize === 1 ? Math.ceil(bench.settings.runs / 5) : bench.settings.runs;
    await measureDrained(stack, Math.min(2_000, runs), bench.meters);
    return [{ inFlight: null, cost: await measureDrained(stack, runs, bench.meters) }];
  });
  return report('drained', 'All runs started first, then carried out:', measured, bench);
}

/** Loads that arrive: batches are what has come meanwhile. */
export async function arrivingPart(bench: Bench): Promise<Figures> {
  const measured = await eachAgentAndBatch(bench, async (stack, batchSize) => {
    const runs = Math.ceil(bench.settings.runs / (batchSize === 1 ? 5 : 2));
    await measureArriving(stack, { runs: Math.ceil(runs / 2), inFlight: IN_FLIGHT.few }, bench.meters);
    const costs: { inFlight: number; cost: Cost }[] = [];
    for (const inFlight of Object.values(IN_FLIGHT))
      costs.push({ inFlight, cost: await measureArriving(stack, { runs, inFlight }, bench.meters) });
    return costs;
  });
  return report('arriving', 'A closed loop, each run started when another has ended:', measured, bench);
}

async function eachAgentAndBatch(
  bench: Bench,
  measure: (
    stack: Parameters<typeof measureArriving>[0],
    batchSize: number,
  ) => Promise<Omit<Measured, 'agent' | 'batchSize'>[]>,
): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const agent of Object.values(bench.agents)) {
    for (const batchSize of bench.settings.batchSizes) {
      const found = await withStack(bench, { agent, batchSize }, (stack) => measure(stack, batchSize));
      measured.push(...found.map((one) => ({ agent: agent.kind, batchSize, ...one })));
    }
    bench.commitRates.push(await measureCommitRate(bench.servers.databaseUrl, 3));
  }
  return measured;
}

function report(load: string, title: string, measured: readonly Measured[], bench: Bench): Figures {
  const commitRate = median(bench.commitRates);
  const rates = bench.commitRates.map((rate) => Math.round(rate)).join(', ');
  console.log(`\n${title} This machine: ${rates} commits/s; the ratio is to their median.`);
  const processes = ['node', 'postgres', 'broker', 'agents'];
  console.log(
    formatTable(
      [
        'agents',
        'batch',
        'in flight',
        'steps/s',
        'ratio',
        'statements/step',
        'commits/step',
        ...processes.map((name) => `${name} ms/step`),
      ],
      measured.map(({ agent, batchSize, inFlight, cost }) => [
        agent,
        String(batchSize),
        inFlight === null ? 'all' : String(inFlight),
        (1 / cost.seconds).toFixed(0),
        (1 / cost.seconds / commitRate).toFixed(3),
        cost.statements.toFixed(2),
        cost.commits.toFixed(2),
        ...processes.map((name) => cost.cpuMs[name]?.toFixed(2) ?? '–'),
      ]),
    ),
  );
  return Object.fromEntries(
    measured.flatMap(({ agent, batchSize, inFlight, cost }) => {
      const name = [load, agent, batchSize, ...(inFlight === null ? [] : [inFlight])].join(' ');
      const cpuMs = cpuMsOf(cost);
      return [
        [`${name} steps/s`, 1 / cost.seconds] as const,
        ...(cpuMs === null ? [] : [[`${name} CPU ms`, cpuMs] as const]),
      ];
    }),
  );
}
