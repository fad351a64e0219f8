import { readFile } from 'node:fs/promises';
import type { Figures } from './bench.ts';
import { median } from './latency.ts';

interface ResultLine {
  readonly peer: string;
  readonly variant?: string;
  readonly workload: string;
  readonly metric: string;
  readonly value: number | null;
}

const RIVALS = ['dbos', 'restate', 'pgboss'];

/** Stepline against the best of its peers, of a run side by side: the lines that the peers' harness has written, medians over its rounds. */
export async function readPeerResults(file: string): Promise<Figures> {
  const lines = (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ResultLine);
  const of = (peer: string, variant: string, metric: string) => {
    const values = lines.flatMap((line) =>
      line.peer === peer && line.variant === variant && line.metric === metric ? (line.value ?? []) : [],
    );
    return values.length === 0 ? null : median(values);
  };
  const names = [...new Set(lines.map(({ peer }) => peer))];
  const rivals = names.filter((name) => RIVALS.includes(name.split('/')[0] as string));
  const figures: Record<string, number> = {};
  const ratio = (name: string, own: number | null, others: readonly (number | null)[], best: Best) => {
    const told = others.filter((value) => value !== null);
    if (own !== null && told.length > 0) figures[name] = own / best(...told);
  };
  for (const variant of ['inproc', 'http']) {
    const each = (metric: string) => rivals.map((name) => of(name, variant, metric));
    ratio(`peers ${variant} steps/s`, of('stepline/batch-100', variant, STEPS), each(STEPS), Math.max);
    ratio(`peers ${variant} run`, of('stepline/batch-1', variant, RUN), each(RUN), Math.min);
    const carriedOn = of('stepline/batch-1-steps-8', variant, RUN);
    ratio(`peers ${variant} run, 8 steps an invocation`, carriedOn, each(RUN), Math.min);
    const dbos = rivals.filter((name) => name.startsWith('dbos')).map((name) => of(name, variant, START));
    ratio(`peers ${variant} start`, of('stepline/batch-1', variant, START), dbos, Math.min);
  }
  return figures;
}

type Best = (...values: number[]) => number;
const [STEPS, RUN, START] = ['steps_per_s', 'run_ms_p50', 'start_ms_p50'] as const;
