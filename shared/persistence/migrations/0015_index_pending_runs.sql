-- How long the oldest run has waited to begin is looked at every minute; an entry lives for as long as a run is PENDING.
create index workflow_runs_oldest_pending on workflow_runs (created_at) where status = 'PENDING';
