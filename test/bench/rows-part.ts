import { formatTable } from '../../localstack/cli/table.ts';
import { type Bench, type Figures, withStack } from './bench.ts';
import { cpuMsOf, type Meters } from './cost.ts';
import { fillTables } from './fill-tables.ts';
import { median } from './latency.ts';
import { measureArriving } from './loads.ts';
import { STEPS } from './workflow-shapes.ts';

const TIMES = 3;
const RUNS = 200;
const IN_FLIGHT = 64;

/** What a step costs on tables that are full, against the same on those that are as good as empty. The database is left full. */
export async function rowsPart(bench: Bench): Promise<Figures> {
  const { rows } = bench.settings;
  // The first is to warm up: what comes first is always slower.
  await measureSteps(bench);
  const empty = await measureSteps(bench);
  const runId = await withStack(bench, { agent: bench.agents.inProcess, batchSize: 1 }, async (stack) => {
    const started = await stack.execute(stack.shape.input);
    await stack.ended.completionOf(started);
    return started;
  });
  console.log(`\nThe tables are filled with ${rows.toLocaleString('en')} finished attempts …`);
  await fillTables(bench.servers.databaseUrl, { runId, steps: STEPS }, rows);
  const full = await measureSteps(bench);

  console.log(`What a step costs, ${IN_FLIGHT} runs in flight (batch size 1, agents in process):`);
  console.log(
    formatTable(
      ['attempts in the tables', 'CPU ms/step', 'of it Postgres', 'steps/s'],
      [
        ['few', empty],
        [rows.toLocaleString('en'), full],
      ].map(([name, cost]) => {
        const { cpuMs, postgresMs, stepsPerSecond } = cost as typeof empty;
        return [name as string, cpuMs.toFixed(2), postgresMs.toFixed(2), stepsPerSecond.toFixed(0)];
      }),
    ),
  );
  return {
    'rows CPU ratio': full.cpuMs / empty.cpuMs,
    'rows Postgres ratio': full.postgresMs / empty.postgresMs,
  };
}

function measureSteps(bench: Bench) {
  const meters: Meters = bench.meters;
  return withStack(bench, { agent: bench.agents.inProcess, batchSize: 1 }, async (stack) => {
    const load = { runs: RUNS, inFlight: IN_FLIGHT };
    await measureArriving(stack, load, meters);
    const costs = [];
    for (let i = 0; i < TIMES; i++) costs.push(await measureArriving(stack, load, meters));
    return {
      cpuMs: median(costs.map((cost) => cpuMsOf(cost) ?? Number.NaN)),
      postgresMs: median(costs.map((cost) => cost.cpuMs.postgres ?? Number.NaN)),
      stepsPerSecond: 1 / median(costs.map(({ seconds }) => seconds)),
    };
  });
}
