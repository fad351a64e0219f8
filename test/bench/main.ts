import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startAgents } from '../../localstack/agents/start-agents.ts';
import { formatTable } from '../../localstack/cli/table.ts';
import { startKafka } from '../../localstack/kafka.ts';
import { startPostgres } from '../../localstack/postgres.ts';
import { generateSecret } from '../../shared/agents/secrets.ts';
import { measureBareHops } from './bare-hops.ts';
import {
  type BenchOptions,
  type BenchServers,
  type HttpAgent,
  STEPS,
  startBenchStack,
} from './bench-stack.ts';
import { type ColdStart, measureColdStarts } from './cold-starts.ts';
import { measureCommitRate } from './commit-rate.ts';
import { measureLatency } from './latency.ts';
import { measureShapes, type ShapeCost } from './shapes.ts';
import { countStatements } from './statement-count.ts';
import { type Meters, measureThroughput, type Throughput } from './throughput.ts';

/*
 * N runs × 5 steps through the real broker and database, at several batch sizes, with agents that speak Kafka in this process
 * and with HTTP agents in one of their own. Machines differ by a factor of two and more, so figures are given as ratios to
 * what this one commits at all, measured before, between and after in the same run.
 */

const PARTITIONS = 4;
const WARM_UP_RUNS = 2_000;
/** What a release must reach at batch size 100 (steps per second / commits per second), and alone (milliseconds). */
const floors = { inProcess: 0.35, http: 0.22, runP50Ms: 14, startP50Ms: 4 };

type Agent = BenchOptions['agent'];

interface Measured {
  readonly agent: Agent['kind'];
  readonly batchSize: number;
  readonly throughput: Throughput;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '3000' }, batch: { type: 'string', default: '1,10,100' } },
  });
  const runs = Number(values.runs);
  const folder = await mkdtemp(join(tmpdir(), 'stepline-bench-'));
  const [postgres, kafka] = await Promise.all([
    startPostgres({ dataDir: join(folder, 'postgres') }),
    startKafka({ dir: join(folder, 'kafka'), onProgress: console.log }),
  ]);
  const secret = generateSecret();
  const agents = await startAgents({ secret, log: console.error });
  const servers = { databaseUrl: postgres.url, kafkaBrokers: kafka.brokers };
  const pids = { postgres: postgres.pid, broker: kafka.pid, agents: agents.pid };
  const http: HttpAgent = { kind: 'http', url: agents.urls['echo-agent'] as string, secret };
  try {
    console.log(
      `${cpus().length} cores, Node ${process.version}; broker, database and agents run on them too.\n`,
    );
    const rates = [await measureCommitRate(servers.databaseUrl, 3)];
    const statements = countStatements();
    const measured: Measured[] = [];
    for (const agent of [{ kind: 'in-process' } as const, http]) {
      for (const batchSize of values.batch.split(',').map(Number)) {
        // A batch of one is slower by an order of magnitude; it says as much in fewer runs.
        const count = batchSize === 1 ? Math.ceil(runs / 5) : runs;
        const throughput = await throughputOf(
          servers,
          { agent, batchSize, runs: count },
          { statements, pids },
        );
        measured.push({ agent: agent.kind, batchSize, throughput });
      }
      rates.push(await measureCommitRate(servers.databaseUrl, 3));
    }
    const latencies = [
      await latencyOf(servers, { kind: 'in-process' }),
      await latencyOf(servers, http),
    ] as const;
    const shapes = await measureShapes(servers, { statements, pids }, PARTITIONS);
    const bareHopsMs = await measureBareHops(servers, http, 600);
    const coldStarts = await measureColdStarts(servers);

    const commitRate = rates.toSorted((a, b) => a - b)[rates.length >> 1] as number;
    console.log(
      `This machine: ${rates.map((rate) => Math.round(rate)).join(', ')} commits/s; ratios are to the median.\n`,
    );
    console.log(throughputTable(measured, commitRate));
    console.log(`\nOne run of ${STEPS} steps alone, handlers in process, batch size 1:`);
    console.log(
      formatTable(
        ['agents', 'run p50', 'start p50'],
        latencies.map(({ agent, runP50Ms, startP50Ms }) => [agent, ms(runP50Ms), ms(startP50Ms)]),
      ),
    );
    console.log(
      `The same hops with no engine on them (Kafka, one small commit, HTTP): ${ms(bareHopsMs)}; ` +
        `the HTTP run takes ${(latencies[1].runP50Ms / bareHopsMs).toFixed(2)} × that.`,
    );
    console.log(
      `\nWhat a step costs in a large run, against a small one (batch size 100, agents in process):`,
    );
    console.log(shapeTable(shapes));
    console.log('\nCold start: a process each, from its start to its first answer (p50, ms):');
    console.log(coldStartTable(coldStarts));
    const ratioAt100 = (kind: Agent['kind']) => {
      const found = measured.find(({ agent, batchSize }) => agent === kind && batchSize === 100);
      return found ? found.throughput.stepsPerSecond / commitRate : Number.NaN;
    };
    const [, httpLatency] = latencies;
    console.log(`\n${verdictTable(ratioAt100('in-process'), ratioAt100('http'), httpLatency)}`);
  } finally {
    await Promise.all([agents.stop(), postgres.kill(), kafka.kill()]);
    await rm(folder, { recursive: true, force: true });
  }
}

async function throughputOf(
  servers: BenchServers,
  { agent, batchSize, runs }: { agent: Agent; batchSize: number; runs: number },
  meters: Meters,
): Promise<Throughput> {
  const stack = await startBenchStack({ servers, agent, batchSize, partitions: PARTITIONS });
  try {
    await measureThroughput(stack, Math.min(WARM_UP_RUNS, runs), meters);
    return await measureThroughput(stack, runs, meters);
  } finally {
    await stack.stop();
  }
}

async function latencyOf(servers: BenchServers, agent: Agent) {
  const stack = await startBenchStack({ servers, agent, batchSize: 1, partitions: PARTITIONS });
  try {
    await measureLatency(stack, 500);
    return { agent: agent.kind, ...(await measureLatency(stack, 300)) };
  } finally {
    await stack.stop();
  }
}

function throughputTable(measured: readonly Measured[], commitRate: number): string {
  const processes = ['node', 'postgres', 'broker', 'agents'];
  return formatTable(
    [
      'agents',
      'batch',
      'steps/s',
      'ratio',
      'statements/step',
      'commits/step',
      ...processes.map((name) => `${name} µs/step`),
    ],
    measured.map(({ agent, batchSize, throughput }) => [
      agent,
      String(batchSize),
      String(Math.round(throughput.stepsPerSecond)),
      (throughput.stepsPerSecond / commitRate).toFixed(3),
      throughput.statementsPerStep.toFixed(2),
      throughput.commitsPerStep.toFixed(2),
      ...processes.map((name) => {
        const cpu = throughput.cpuPerStepUs[name] ?? null;
        return cpu === null ? '–' : cpu.toFixed(0);
      }),
    ]),
  );
}

function shapeTable(shapes: readonly ShapeCost[]): string {
  return formatTable(
    ['large', 'small', 'CPU µs/step', 'ratio', 'statements/step', 'node MiB'],
    shapes.map(({ large, small, cpuPerStepUs: cpu, statementsPerStep, residentMiB }) => [
      large,
      small,
      cpu === null ? '–' : `${cpu.large.toFixed(0)} / ${cpu.small.toFixed(0)}`,
      cpu === null ? '–' : (cpu.large / cpu.small).toFixed(2),
      `${statementsPerStep.large.toFixed(2)} / ${statementsPerStep.small.toFixed(2)}`,
      `${residentMiB.large.toFixed(0)} / ${residentMiB.small.toFixed(0)}`,
    ]),
  );
}

function coldStartTable(coldStarts: readonly ColdStart[]): string {
  return formatTable(
    ['function', 'bundle KiB', 'Node', 'load', 'of it CPU', 'first answer', 'in all'],
    coldStarts.map(({ functionName, bundleKib, startMs, loadMs, loadCpuMs, answerMs }) => [
      functionName,
      ...[bundleKib, startMs, loadMs, loadCpuMs].map((figure) => figure.toFixed(0)),
      answerMs === null ? '–' : answerMs.toFixed(0),
      (startMs + loadMs + (answerMs ?? 0)).toFixed(0),
    ]),
  );
}

function verdictTable(
  inProcess: number,
  http: number,
  latency: { runP50Ms: number; startP50Ms: number },
): string {
  const row = (what: string, value: number, floor: number, isEnough: boolean) => [
    what,
    value.toFixed(2),
    floor.toFixed(2),
    isEnough ? 'yes' : 'NO',
  ];
  return formatTable(
    ['wanted', 'measured', 'bound', 'held'],
    [
      row(
        'in-process steps/s ÷ commits/s at batch 100, at least',
        inProcess,
        floors.inProcess,
        inProcess >= floors.inProcess,
      ),
      row('HTTP steps/s ÷ commits/s at batch 100, at least', http, floors.http, http >= floors.http),
      row(
        'one HTTP run p50 in ms, at most',
        latency.runP50Ms,
        floors.runP50Ms,
        latency.runP50Ms <= floors.runP50Ms,
      ),
      row(
        'start p50 in ms, at most',
        latency.startP50Ms,
        floors.startP50Ms,
        latency.startP50Ms <= floors.startP50Ms,
      ),
    ],
  );
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

await main();
process.exit();
