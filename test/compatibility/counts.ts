import type { RunWorld } from '../support/run-world.ts';

type Asked = Pick<RunWorld, 'database'>;
const GROUP = 'workflow_definition_id, community_id, owner, execution_status';

/** What lists take their totals from, and what it is to be: nothing where they are the same. */
export function wrongRunCounts({ database }: Asked): Promise<object[]> {
  return database.many(
    `select * from (
       select ${GROUP}, sum(runs)::int as runs from run_counts group by ${GROUP} having sum(runs) <> 0
       except all
       select ${GROUP}, count(*)::int from workflow_runs
        where community_id is not null and workflow_definition_id is not null group by ${GROUP}) as counted_too_much
     union all
     select * from (
       select ${GROUP}, count(*)::int from workflow_runs
        where community_id is not null and workflow_definition_id is not null group by ${GROUP}
       except all
       select ${GROUP}, sum(runs)::int from run_counts group by ${GROUP} having sum(runs) <> 0) as not_counted`,
  );
}

/** How many runs have ended how, as monitoring is told. */
export async function closedCounts({ database }: Asked): Promise<Record<string, number>> {
  const rows = await database.many<{ status: string; runs: number }>(
    'select status, sum(runs)::int as runs from closed_run_counts group by status order by status',
  );
  return Object.fromEntries(rows.map(({ status, runs }) => [status, runs]));
}
