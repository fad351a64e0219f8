import { describe, expect, it } from 'vitest';
import { expositionOf } from '../../../functions/api/presenters/exposition.ts';
import { metricFamiliesOf, type OperatorState } from '../../../functions/api/presenters/operator-metrics.ts';
import { parseExposition } from '../../support/exposition.ts';

const idle: OperatorState = {
  durations: { boundsSeconds: [0.5, 60], counts: [] },
  backlog: {
    last_tick_at: null,
    last_tick_age_seconds: null,
    oldest_outbox_row_age_seconds: null,
    run_due_lag_seconds: null,
    step_due_lag_seconds: null,
    oldest_pending_run_age_seconds: null,
  },
  sizes: { outbox_rows: 0, pending_runs: 0, running_runs: 0, paused_runs: 0 },
  deadLetters: [],
};

describe('the exposition', () => {
  it('of a system that has done nothing has its gauges, and the names of its counters', () => {
    const text = expositionOf(metricFamiliesOf(idle));
    const families = parseExposition(text);
    expect(families.get('stepline_outbox_rows')?.samples).toEqual([
      { name: 'stepline_outbox_rows', labels: {}, value: 0 },
    ]);
    expect(families.get('stepline_executions_closed_total')).toMatchObject({ type: 'counter', samples: [] });
    expect(families.get('stepline_timekeeper_last_tick_timestamp_seconds')?.samples).toEqual([]);
  });

  it('of durations adds the buckets up', () => {
    const counts = {
      workflow: { id: 'w1', name: 'etl' },
      status: 'COMPLETED',
      runs: 6,
      seconds: 401.5,
      buckets: [1, 3, 2],
    } as const;
    const text = expositionOf(
      metricFamiliesOf({ ...idle, durations: { boundsSeconds: [0.5, 60], counts: [counts] } }),
    );
    expect(text).toContain(`# TYPE stepline_execution_duration_seconds histogram
stepline_execution_duration_seconds_bucket{workflow_id="w1",workflow="etl",status="completed",le="0.5"} 1
stepline_execution_duration_seconds_bucket{workflow_id="w1",workflow="etl",status="completed",le="60"} 4
stepline_execution_duration_seconds_bucket{workflow_id="w1",workflow="etl",status="completed",le="+Inf"} 6
stepline_execution_duration_seconds_sum{workflow_id="w1",workflow="etl",status="completed"} 401.5
stepline_execution_duration_seconds_count{workflow_id="w1",workflow="etl",status="completed"} 6
`);
    parseExposition(text);
  });

  it.each([
    ['quotes and line ends', 'a"b\\c\nd} 1\n# TYPE x counter', 'a"b\\c\nd} 1\n# TYPE x counter'],
    ['a backslash at the end', 'a\\', 'a\\'],
    ['a carriage return', 'a\rb', 'a b'],
    ['half a character', 'a\ud800', 'a\ufffd'],
    ['nothing', '', ''],
  ])('keeps a label of %s in its place', (_what, value, read) => {
    const text = expositionOf([
      { name: 'x_total', help: 'a\nb\\', type: 'counter', samples: [{ labels: { v: value }, value: 1 }] },
    ]);
    expect(parseExposition(text).get('x_total')?.samples).toEqual([
      { name: 'x_total', labels: { v: read }, value: 1 },
    ]);
  });
});

describe('the reader of expositions', () => {
  const head = '# HELP x_total h\n# TYPE x_total counter\n';
  it.each([
    ['no line end', `${head}x_total 1`],
    ['no HELP', '# TYPE x_total counter\nx_total 1\n'],
    ['a bare quote', `${head}x_total{v="a"b"} 1\n`],
    ['another escape', `${head}x_total{v="a\\t"} 1\n`],
    ['a series twice', `${head}x_total 1\nx_total 2\n`],
    ['another metric', `${head}y_total 1\n`],
    ['no number', `${head}x_total many\n`],
    ['a counter below 0', `${head}x_total -1\n`],
    [
      'buckets that sink',
      '# HELP h h\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
    ],
    ['a histogram without +Inf', '# HELP h h\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_sum 1\nh_count 2\n'],
  ])('refuses %s', (_what, text) => {
    expect(() => parseExposition(text)).toThrow();
  });
});
