import { formatTable } from '../../localstack/cli/table.ts';
import { startDatabaseRelay } from '../support/database-relay.ts';
import { measureBareHops } from './bare-hops.ts';
import { type Bench, type Figures, withStack } from './bench.ts';
import type { Agent } from './bench-stack.ts';
import { cpuMsOf } from './cost.ts';
import { measureLatency } from './latency.ts';
import { measureStarts } from './loads.ts';
import { STEPS } from './workflow-shapes.ts';

const RUNS = { warmUp: 300, measured: 300, startsBefore: 1_500, starts: 500 };
/** Between functions and database, each way. */
const DELAY_MS = 1;

/** One run after another at batch size 1: with steps of their own, several an invocation, and a database that is further away. */
export async function latencyPart(bench: Bench): Promise<Figures> {
  const { inProcess, http } = bench.agents;
  const carriedOn = { STEPS_PER_INVOCATION: '8' };
  const rows = [
    await latencyOf(bench, 'in-process', inProcess),
    await latencyOf(bench, 'http', http),
    await latencyOf(bench, 'http, 8 steps an invocation', http, { settings: carriedOn }),
    await latencyOf(bench, `http, database ${DELAY_MS} ms away`, http, { delayMs: DELAY_MS }),
  ];
  const startCpuMs = await withStack(bench, { agent: http, batchSize: 1 }, async (stack) => {
    // A broker that has just begun compiles its code at the cost of the first thousands of requests.
    await measureStarts(stack, RUNS.startsBefore, bench.meters);
    return cpuMsOf(await measureStarts(stack, RUNS.starts, bench.meters));
  });
  const bareHopsMs = await measureBareHops(bench.servers, http, 600);
  console.log(`\nOne run of ${STEPS} steps alone, handlers in process, batch size 1 (p50):`);
  console.log(
    formatTable(
      ['agents', 'run ms', 'start ms'],
      rows.map(({ name, runP50Ms, startP50Ms }) => [name, runP50Ms.toFixed(1), startP50Ms.toFixed(1)]),
    ),
  );
  console.log(`A start costs ${startCpuMs?.toFixed(2) ?? '–'} ms of CPU.`);
  console.log(
    `The same hops with no engine on them (Kafka, one small commit, HTTP): ${bareHopsMs.toFixed(1)} ms; ` +
      `the HTTP run takes ${((rows[1]?.runP50Ms ?? Number.NaN) / bareHopsMs).toFixed(2)} × that.`,
  );
  const [, own, eight, delayed] = rows.map(({ runP50Ms }) => runP50Ms) as [number, number, number, number];
  return {
    'http run ms': own,
    'http run ms, 8 steps an invocation': eight,
    'http run ms, database away': delayed,
    ...(startCpuMs === null ? {} : { 'start CPU ms': startCpuMs }),
  };
}

async function latencyOf(
  bench: Bench,
  name: string,
  agent: Agent,
  { delayMs = 0, settings = {} }: { delayMs?: number; settings?: Record<string, string> } = {},
) {
  const relay = delayMs === 0 ? null : await startDatabaseRelay(bench.servers.databaseUrl, { delayMs });
  try {
    const options = {
      agent,
      batchSize: 1,
      settings: { ...settings, ...(relay && { DATABASE_URL: relay.url }) },
    };
    return await withStack(bench, options, async (stack) => {
      await measureLatency(stack, RUNS.warmUp);
      return { name, ...(await measureLatency(stack, RUNS.measured)) };
    });
  } finally {
    await relay?.close();
  }
}
