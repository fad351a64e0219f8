import type { Statements } from './database.ts';

/** How the runs of one workflow ended that ended in one way, and what time they took. */
export interface ClosedRunCounts {
  /** Null: all workflows that are not told apart. */
  readonly workflow: { readonly id: string; readonly name: string } | null;
  readonly status: 'COMPLETED' | 'FAILED' | 'CANCELLED';
  readonly runs: number;
  readonly seconds: number;
  /** Of the bounds' order, each without those before it; one more for what is longer than the last. */
  readonly buckets: readonly number[];
}

export interface RunDurations {
  /** Ascending: a bucket holds what took at most as long. */
  readonly boundsSeconds: readonly number[];
  readonly counts: readonly ClosedRunCounts[];
}

interface CountRow {
  readonly workflow_definition_id: string;
  readonly workflow_name: string | null;
  readonly status: ClosedRunCounts['status'];
  readonly bucket: number;
  readonly runs: number;
  readonly seconds: number;
}

/** The whole table, which has a bound: the workflows told apart, times ends, buckets and shards. */
export async function readRunDurations(database: Statements): Promise<RunDurations> {
  const { bounds } = await database.one<{ bounds: number[] }>(
    'select run_duration_bounds()::float8[] as bounds',
  );
  const rows = await database.many<CountRow>(
    `select c.workflow_definition_id, w.workflow_name, c.status, c.bucket, sum(c.runs)::bigint as runs, sum(c.seconds) as seconds
       from closed_run_counts c left join labelled_workflows w using (workflow_definition_id)
      where c.workflow_definition_id = '' or w.workflow_definition_id is not null
      group by c.workflow_definition_id, w.workflow_name, c.status, c.bucket
      order by c.workflow_definition_id, c.status, c.bucket`,
  );
  const groups = Map.groupBy(rows, (row) => JSON.stringify([row.workflow_definition_id, row.status]));
  return {
    boundsSeconds: bounds.map((micros) => micros / 1e6),
    counts: [...groups.values()].map((group) => countsOf(group, bounds.length + 1)),
  };
}

function countsOf(group: readonly CountRow[], bucketCount: number): ClosedRunCounts {
  const [{ workflow_definition_id: id, workflow_name: name, status }] = group as [CountRow];
  const buckets = Array.from({ length: bucketCount }, () => 0);
  for (const { bucket, runs } of group) buckets[bucket] = runs;
  return {
    workflow: id === '' ? null : { id, name: name ?? '' },
    status,
    runs: group.reduce((sum, { runs }) => sum + runs, 0),
    seconds: group.reduce((sum, { seconds }) => sum + seconds, 0),
    buckets,
  };
}
