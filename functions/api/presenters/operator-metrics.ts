import { type Backlog, type BacklogSizes, MOST_COUNTED } from '../../../shared/persistence/backlog.ts';
import type { ClosedRunCounts, RunDurations } from '../../../shared/persistence/closed-run-counts.ts';
import { type MetricFamily, numberOf, type Sample } from './exposition.ts';

export interface OperatorState {
  readonly durations: RunDurations;
  readonly backlog: Backlog;
  readonly sizes: BacklogSizes;
  readonly deadLetters: readonly { readonly topic: string; readonly letters: number }[];
}

/**
 * What is counted as it happens is a counter, and never goes down; what is there at the moment is a gauge. A gauge of an age is
 * 0 where nothing waits.
 */
export function metricFamiliesOf({ durations, backlog, sizes, deadLetters }: OperatorState): MetricFamily[] {
  return [
    {
      name: 'stepline_executions_closed_total',
      help: 'Executions that ended, by how. One that is retried ends again.',
      type: 'counter',
      samples: durations.counts.map((counts) => ({ labels: labelsOf(counts), value: counts.runs })),
    },
    {
      name: 'stepline_execution_duration_seconds',
      help: 'From the start of an execution, or its retry, to its end.',
      type: 'histogram',
      samples: durations.counts.flatMap((counts) => histogramOf(counts, durations.boundsSeconds)),
    },
    {
      name: 'stepline_dead_letters_total',
      help: 'Records that could not be dealt with, by the topic they came from.',
      type: 'counter',
      samples: deadLetters.map(({ topic, letters }) => ({ labels: { topic }, value: letters })),
    },
    {
      name: 'stepline_executions_open',
      help: `Executions that have not ended, counted up to ${MOST_COUNTED}.`,
      type: 'gauge',
      samples: [
        { labels: { status: 'pending' }, value: sizes.pending_runs },
        { labels: { status: 'running' }, value: sizes.running_runs },
        { labels: { status: 'paused' }, value: sizes.paused_runs },
      ],
    },
    gauge(
      'stepline_oldest_pending_execution_age_seconds',
      'Since the creation of the oldest execution that nothing has picked up.',
      backlog.oldest_pending_run_age_seconds ?? 0,
    ),
    gauge(
      'stepline_outbox_rows',
      `Transactions whose messages are not published yet, counted up to ${MOST_COUNTED}.`,
      sizes.outbox_rows,
    ),
    gauge(
      'stepline_outbox_oldest_age_seconds',
      'Age of the oldest of them.',
      backlog.oldest_outbox_row_age_seconds ?? 0,
    ),
    {
      name: 'stepline_due_lag_seconds',
      help: 'For how long the timer that is due the longest has been due.',
      type: 'gauge',
      samples: [
        { labels: { of: 'execution' }, value: backlog.run_due_lag_seconds ?? 0 },
        { labels: { of: 'step' }, value: backlog.step_due_lag_seconds ?? 0 },
      ],
    },
    {
      name: 'stepline_timekeeper_last_tick_timestamp_seconds',
      help: 'When the timekeeper last looked for due timers, in Unix time. Absent until it first does.',
      type: 'gauge',
      samples: backlog.last_tick_at === null ? [] : [{ value: backlog.last_tick_at.getTime() / 1_000 }],
    },
  ];
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, help, type: 'gauge', samples: [{ value }] };
}

function labelsOf({ workflow, status }: ClosedRunCounts) {
  const { id, name } = workflow ?? { id: 'other', name: 'other' };
  return { workflow_id: id, workflow: name, status: status.toLowerCase() };
}

function histogramOf(counts: ClosedRunCounts, boundsSeconds: readonly number[]): Sample[] {
  const labels = labelsOf(counts);
  let upTo = 0;
  const buckets = [...boundsSeconds, Number.POSITIVE_INFINITY].map((bound, i): Sample => {
    upTo += counts.buckets[i] ?? 0;
    return { suffix: '_bucket', labels: { ...labels, le: numberOf(bound) }, value: upTo };
  });
  return [
    ...buckets,
    { suffix: '_sum', labels, value: counts.seconds },
    { suffix: '_count', labels, value: counts.runs },
  ];
}
