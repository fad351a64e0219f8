-- The lists of the API, newest first: an admin's go over every owner's rows, which the indexes by owner do not order.
create index workflow_runs_newest on workflow_runs (created_at desc, id desc);
-- What is open, and what failed or was cancelled, is sought among many times as many that completed.
create index workflow_runs_newest_open on workflow_runs (created_at desc, id desc)
where status in ('PENDING', 'RUNNING');
create index workflow_runs_newest_unsuccessful on workflow_runs (created_at desc, id desc)
where status in ('FAILED', 'CANCELLED');

create index workflows_newest on workflows (created_at desc, id desc) where archived_at is null;
