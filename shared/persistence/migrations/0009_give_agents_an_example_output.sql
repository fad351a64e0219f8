-- What a dry run takes for the agent's answer; null: none is known. Its size is kept beside it, so that many can be weighed unread.
alter table agents
add column example_output jsonb,
add column example_output_bytes integer generated always as (octet_length(example_output::text)) stored;
