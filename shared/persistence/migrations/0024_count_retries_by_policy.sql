-- How many attempts each policy of a step's list granted, in the list's order. Null: the step has no list, or the release before wrote
-- the row, which counts all policies together in `policy_attempt`.
alter table step_executions add column policy_retries integer[];
