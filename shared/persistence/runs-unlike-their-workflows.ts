import type { Statements } from './database.ts';

/**
 * Open runs that are not held as their workflow is: who paused or resumed it, or deleted it, changes them one after the other, and
 * may have ended half-way. Those that the pause of a workflow holds which is paused no more, whenever that was; those that it does
 * not hold, of workflows that were paused in the last quarter of an hour, but not in the last half minute, in which somebody is at it.
 * Each by an index: what is paused for long and in order costs a row for each such workflow.
 */
export async function findRunsUnlikeTheirWorkflows(
  statements: Statements,
  { limit }: { readonly limit: number },
): Promise<readonly string[]> {
  const rows = await statements.many<{ run_id: string }>(
    `with recursive holding as (
       (select r.workflow_definition_id as id from workflow_runs r where ${HELD}
         order by r.workflow_definition_id limit 1)
       union all
       select (select r.workflow_definition_id from workflow_runs r where ${HELD} and r.workflow_definition_id > holding.id
                order by r.workflow_definition_id limit 1)
         from holding where holding.id is not null
     ), paused as materialized (
       select w.id::text as id, w.paused_at from workflows w where w.paused_at is not null
     ), let_go as (
       select runs.run_id from holding cross join lateral (
         select r.run_id from workflow_runs r where ${HELD} and r.workflow_definition_id = holding.id limit $1) as runs
        where holding.id is not null and holding.id not in (select p.id from paused p) limit $1
     ), held as (
       select runs.run_id from paused cross join lateral (
         select r.run_id from workflow_runs r
          where r.workflow_definition_id = paused.id and r.status in ('PENDING', 'RUNNING')
            and (r.paused_at is null or r.held_by = 'run') limit $1) as runs
        where paused.paused_at between now() - interval '15 minutes' and now() - interval '30 seconds' limit $1
     )
     select run_id from let_go union all select run_id from held limit $1`,
    [limit],
  );
  return rows.map(({ run_id }) => run_id);
}

/** As the index has it. */
const HELD = `r.status in ('PENDING', 'RUNNING') and r.held_by in ('workflow', 'both')`;
