-- The oldest run that nobody picked up: those that a pause holds are nobody's to pick up, and may be many for long.
create index workflow_runs_not_picked_up on workflow_runs (created_at) where status = 'PENDING' and paused_at is null;
drop index workflow_runs_pending;

-- A decision's row is as old as its writing, not as its transaction, which may have waited for its runs for seconds: the timekeeper
-- would take it for left behind in the moment of its commit.
alter table outbox alter column created_at set default clock_timestamp();
