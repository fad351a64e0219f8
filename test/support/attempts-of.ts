import type { RunWorld } from './run-world.ts';

interface AttemptRow {
  readonly scope: string;
  readonly step_id: string;
  readonly visit: number;
  readonly attempt: number;
  readonly status: string;
  readonly error_code: string | null;
}

/** The attempts of a run, oldest first, as `[<scope>/]<step> [visit n] [attempt n] <STATUS> [<code>]`. */
export async function attemptsOf({ database }: Pick<RunWorld, 'database'>, runId: string): Promise<string[]> {
  const rows = await database.many<AttemptRow>(
    `select scope, step_id, visit, attempt, status, error_code
       from step_executions where run_id = $1 order by created_at, id`,
    [runId],
  );
  return rows.map(({ scope, step_id, visit, attempt, status, error_code }) =>
    [
      scope === '' ? step_id : `${scope}/${step_id}`,
      ...(visit > 1 ? [`visit ${visit}`] : []),
      ...(attempt > 1 ? [`attempt ${attempt}`] : []),
      status,
      ...(error_code === null ? [] : [error_code]),
    ].join(' '),
  );
}
