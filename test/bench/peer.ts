import { readFileSync } from 'node:fs';
import { generateSecret } from '../../shared/agents/secrets.ts';
import type { JsonObject } from '../../shared/engine/json.ts';
import { openDatabase } from '../../shared/persistence/database.ts';
import { type BenchServers, type InProcessAgent, startBenchStack } from './bench-stack.ts';
import { readTogether } from './read-together.ts';
import { sequenceOf } from './workflow-shapes.ts';

export interface PeerOptions {
  readonly servers: BenchServers;
  readonly batchSize: number;
  readonly partitions: number;
  readonly agent: { readonly kind: 'in-process' } | { readonly kind: 'http'; readonly url: string };
  readonly steps: number;
  /** What each step takes along. */
  readonly pad: string;
  /** A deployment's setting; its default where absent. */
  readonly stepsPerInvocation?: number;
  /** Other variables of the functions. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Peer {
  readonly version: string;
  /** From the request to its 202. @returns the run's id */
  start(input: JsonObject): Promise<string>;
  /** The run's end is committed, and its output read. `n` is how many steps have answered. */
  done(runId: string): Promise<{ n: number }>;
  stop(): Promise<void>;
}

/** Stepline as a benchmark beside other engines loads it: as it is deployed, but for the batch size. */
export async function openPeer(options: PeerOptions): Promise<Peer> {
  const { servers, batchSize, partitions, agent, steps, pad, stepsPerInvocation, settings } = options;
  const stack = await startBenchStack({
    servers,
    batchSize,
    partitions,
    agent: agent.kind === 'http' ? { ...agent, secret: generateSecret() } : countingAgent(pad),
    shape: sequenceOf(steps, ['n', 'kind', 'data']),
    settings: {
      ...(stepsPerInvocation === undefined ? {} : { STEPS_PER_INVOCATION: String(stepsPerInvocation) }),
      ...settings,
    },
  });
  const database = openDatabase({ url: servers.databaseUrl });
  const read = readTogether((runIds: readonly string[]) =>
    database
      .many<{ run_id: string; n: number }>(agent.kind === 'http' ? SUM_OF_ANSWERS : LAST_ANSWER, [runIds])
      .then((rows) => new Map(rows.map(({ run_id, n }) => [run_id, n]))),
  );
  return {
    version: JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version,
    start: stack.execute,
    async done(runId) {
      await stack.ended.completionOf(runId);
      return { n: await read(runId) };
    },
    async stop() {
      await Promise.all([stack.stop(), database.close()]);
    },
  };
}

const countingAgent = (pad: string): InProcessAgent => ({
  kind: 'in-process',
  answer: (input) => ({ ok: true, n: (input as { n: number }).n + 1, kind: 'bench', data: pad }),
});

const LAST_ANSWER = `
  select run_id, (output_data->>'n')::int as n from workflow_runs
   where run_id = any($1) and status = 'COMPLETED'`;

/**
 * The benchmark's HTTP agent looks for `n` where a call's envelope has none (a step's input is its `input_data`), takes it as 0 and
 * answers 1 at every step, so that the last answer counts nothing. What all kept answers of a run add up to is the number of steps
 * that the agent has answered.
 */
const SUM_OF_ANSWERS = `
  select r.run_id, sum((s.output_data->>'n')::int)::int as n
    from workflow_runs r join step_executions s on s.run_id = r.run_id and s.status = 'COMPLETED'
   where r.run_id = any($1) and r.status = 'COMPLETED' and r.output_data is not null
   group by r.run_id`;
