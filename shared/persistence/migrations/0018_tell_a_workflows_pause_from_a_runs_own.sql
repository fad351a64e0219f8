-- What holds a paused run: its own pause (`run`), its workflow's (`workflow`) or both. Null where a version paused it that did not
-- tell: a resume of either lets it go, as it did then.
alter table workflow_runs add column held_by varchar(20);
