-- How many attempts each policy of a step's list granted, in the list's order. Null: the step has no list, or the release before wrote
-- the row, which counts all policies together in `policy_attempt`.
alter table step_executions add column policy_retries integer[];

-- The names that a misspelt one may be meant for: those of everybody's agents and of one owner's. The key begins with the name.
create index agents_of_owner on agents (owner, name);
