import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startAgents } from '../../localstack/agents/start-agents.ts';
import { startKafka } from '../../localstack/kafka.ts';
import { startPostgres } from '../../localstack/postgres.ts';
import { generateSecret } from '../../shared/agents/secrets.ts';
import type { Bench, Figures, Part } from './bench.ts';
import { coldStartsPart } from './cold-starts-part.ts';
import { measureCommitRate } from './commit-rate.ts';
import { idlePart } from './idle-part.ts';
import { latencyPart } from './latency-part.ts';
import { readPeerResults } from './peer-results.ts';
import { rowsPart } from './rows-part.ts';
import { shapesPart } from './shapes-part.ts';
import { countStatements } from './statement-count.ts';
import { targetTable } from './targets.ts';
import { arrivingPart, drainedPart } from './throughput-part.ts';

const usage = `npm run bench -- [--only parts] [--runs n] [--batch sizes] [--rows n] [--peers file] [--save file] [--against file]

  --only     drained,arriving,latency,shapes,rows,cold,idle: all but rows by default
  --runs     of a drained load (3000); the other loads are fractions of it
  --batch    sizes, with commas (1,10,100)
  --rows     fills the tables with so many finished attempts and measures a step before and after: adds the part rows
  --peers    results of the peers' harness, a run side by side with others
  --save     writes what was measured; --against compares with what another build has saved on this machine`;

/** Machines differ by a factor of two and more: figures are ratios where they can be, measured in the same run. */
const PARTS: Readonly<Record<string, Part>> = {
  drained: drainedPart,
  arriving: arrivingPart,
  latency: latencyPart,
  shapes: shapesPart,
  cold: coldStartsPart,
  idle: idlePart,
  // It leaves the tables full.
  rows: rowsPart,
};
const DEFAULT_ROWS = 100_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      runs: { type: 'string', default: '3000' },
      batch: { type: 'string', default: '1,10,100' },
      rows: { type: 'string' },
      peers: { type: 'string' },
      save: { type: 'string' },
      against: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(usage);
  const names = partsOf(values.only, values.rows !== undefined);
  const earlier = values.against === undefined ? undefined : await readFigures(values.against);
  const peers = values.peers === undefined ? {} : await readPeerResults(values.peers);
  const settings = {
    runs: Number(values.runs),
    batchSizes: values.batch.split(',').map(Number),
    rows: Number(values.rows ?? DEFAULT_ROWS),
  };
  const measured = await withServers(settings, async (bench) => {
    const figures: Record<string, number> = { ...peers };
    for (const name of names) Object.assign(figures, await (PARTS[name] as Part)(bench));
    return figures;
  });
  if (values.save !== undefined) await writeFile(values.save, `${JSON.stringify(measured, null, 2)}\n`);
  console.log(`\n${targetTable(measured, earlier)}`);
}

function partsOf(only: string | undefined, hasRows: boolean): string[] {
  const asked = only?.split(',') ?? Object.keys(PARTS).filter((name) => name !== 'rows');
  const unknown = asked.filter((name) => !(name in PARTS));
  if (unknown.length > 0) throw new Error(`No such part: ${unknown.join(', ')}\n${usage}`);
  return Object.keys(PARTS).filter((name) => asked.includes(name) || (name === 'rows' && hasRows));
}

async function readFigures(file: string): Promise<Figures> {
  return JSON.parse(await readFile(file, 'utf8'));
}

async function withServers(
  settings: Bench['settings'],
  measure: (bench: Bench) => Promise<Figures>,
): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'stepline-bench-'));
  const [postgres, kafka] = await Promise.all([
    startPostgres({ dataDir: join(folder, 'postgres') }),
    startKafka({ dir: join(folder, 'kafka'), onProgress: console.log }),
  ]);
  const secret = generateSecret();
  const agents = await startAgents({ secret, log: console.error });
  try {
    console.log(
      `${cpus().length} cores, Node ${process.version}; broker, database and agents run on them too.`,
    );
    return await measure({
      servers: { databaseUrl: postgres.url, kafkaBrokers: kafka.brokers },
      meters: {
        statements: countStatements(),
        pids: { postgres: postgres.pid, broker: kafka.pid, agents: agents.pid },
      },
      agents: {
        inProcess: { kind: 'in-process' },
        http: { kind: 'http', url: agents.urls['echo-agent'] as string, secret },
      },
      commitRates: [await measureCommitRate(postgres.url, 3)],
      settings,
    });
  } finally {
    await Promise.all([agents.stop(), postgres.kill(), kafka.kill()]);
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
process.exit();
