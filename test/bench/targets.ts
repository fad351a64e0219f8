import { formatTable } from '../../localstack/cli/table.ts';
import type { Figures } from './bench.ts';

/*
 * What Stepline is to reach, and what it was when these were set, on another machine than the reader's perhaps: the figures that
 * another build has saved here (`--against`) are the better ones to compare with.
 */
interface Target {
  readonly what: string;
  readonly before: string;
  readonly wanted: string;
  readonly unit: string;
  /** @param earlier of another build on this machine; undefined: no file was given */
  value(figures: Figures, earlier: Figures | undefined): number | undefined;
  holds(value: number): boolean;
}

const atMost = (most: number) => (value: number) => value <= most;
const atLeast = (least: number) => (value: number) => value >= least;

const EARLIER_RUN_MS = 61;
const SINGLE = 'arriving http 1 64 CPU ms';

const TARGETS: readonly Target[] = [
  {
    what: 'HTTP steps/s (batch 100, c 1,000) to the best peer’s',
    before: '0.08–0.11 ×',
    wanted: '≥ 1.0 ×',
    unit: ' ×',
    value: (figures) => figures['peers http steps/s'],
    holds: atLeast(1),
  },
  {
    what: 'in-process, likewise',
    before: '0.09 ×',
    wanted: '≥ 1.0 ×',
    unit: ' ×',
    value: (figures) => figures['peers inproc steps/s'],
    holds: atLeast(1),
  },
  {
    what: 'CPU of a step there, HTTP',
    before: '9.6–10.3 ms',
    wanted: '≤ 1.2 ms',
    unit: ' ms',
    value: (figures) => figures['arriving http 100 1000 CPU ms'],
    holds: atMost(1.2),
  },
  {
    what: 'CPU of a step at batch 1, c 64, HTTP',
    before: '13.4–14.1 ms',
    wanted: '≤ 4.5 ms',
    unit: ' ms',
    value: (figures) => figures[SINGLE],
    holds: atMost(4.5),
  },
  {
    what: 'the same to the earlier build’s',
    before: '1 ×',
    wanted: '≤ 0.33 ×',
    unit: ' ×',
    value: (figures, earlier) => quotient(figures[SINGLE], earlier?.[SINGLE]),
    holds: atMost(1 / 3),
  },
  {
    what: 'one HTTP run alone, to the best peer’s',
    before: '3.9 ×',
    wanted: '≤ 1.3 ×',
    unit: ' ×',
    value: (figures) => figures['peers http run'],
    holds: atMost(1.3),
  },
  {
    what: 'the same with 8 steps an invocation',
    before: '–',
    wanted: '≤ 0.7 ×',
    unit: ' ×',
    value: (figures) => figures['peers http run, 8 steps an invocation'],
    holds: atMost(0.7),
  },
  {
    what: 'a start, to DBOS’s',
    before: '2.7–5 ×',
    wanted: '≤ 1.5 ×',
    unit: ' ×',
    value: (figures) => figures['peers http start'],
    holds: atMost(1.5),
  },
  {
    what: 'CPU of a start',
    before: '–',
    wanted: '≤ 1.5 ms',
    unit: ' ms',
    value: (figures) => figures['start CPU ms'],
    holds: atMost(1.5),
  },
  {
    what: 'one HTTP run, database 1 ms away, to earlier without',
    before: `${EARLIER_RUN_MS} ms`,
    wanted: '≤ 1 ×',
    unit: ' ×',
    value: (figures, earlier) =>
      quotient(
        figures['http run ms, database away'],
        earlier === undefined ? EARLIER_RUN_MS : earlier['http run ms'],
      ),
    holds: atMost(1),
  },
  {
    what: 'a step on full tables, to one on empty ones',
    before: '–',
    wanted: '≤ 1.1 ×',
    unit: ' ×',
    value: (figures) => figures['rows CPU ratio'],
    holds: atMost(1.1),
  },
  {
    what: 'a step in a run of 10,000, to one of 100',
    before: '–',
    wanted: '≤ 1.1 ×',
    unit: ' ×',
    value: (figures) => figures['loop of 10000 CPU ratio'],
    holds: atMost(1.1),
  },
  {
    what: 'an item of a map of 10,000, to one of 500',
    before: '–',
    wanted: '≤ 1.1 ×',
    unit: ' ×',
    value: (figures) => figures['map of 10000 CPU ratio'],
    holds: atMost(1.1),
  },
  {
    what: 'a branch of a parallel of 500, to a sequence’s step',
    before: '1.4–1.65 ×',
    wanted: '≤ 1.1 ×',
    unit: ' ×',
    value: (figures) => figures['parallel of 500 CPU ratio'],
    holds: atMost(1.1),
  },
  {
    what: 'a dev stack that nobody uses',
    before: '24 %',
    wanted: '≤ 6 % of a core',
    unit: ' %',
    value: (figures) => figures['idle CPU %'],
    holds: atMost(6),
  },
  {
    what: 'its memory',
    before: '904 MB',
    wanted: '≤ 700 MB',
    unit: ' MiB',
    value: (figures) => figures['idle MiB'],
    holds: atMost(700),
  },
];

/** Every target, with what is measured of it; what no part measured is left open. */
export function targetTable(figures: Figures, earlier: Figures | undefined): string {
  return formatTable(
    ['target', 'before', 'wanted', 'measured', 'holds'],
    [
      ...TARGETS.map(({ what, before, wanted, unit, value, holds }) => {
        const measured = value(figures, earlier);
        return measured === undefined
          ? [what, before, wanted, '–', '–']
          : [what, before, wanted, measured.toFixed(2) + unit, holds(measured) ? 'yes' : 'NO'];
      }),
      ['round trips of a step', '7–8', '2 cold, 1 warm', 'round-trips.test.ts', '–'],
    ],
  );
}

function quotient(value: number | undefined, by: number | undefined): number | undefined {
  return value === undefined || by === undefined ? undefined : value / by;
}
