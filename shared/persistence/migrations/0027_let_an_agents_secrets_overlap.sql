-- While an agent's secret is being replaced calls are signed with both, so that no receiver refuses one. Encrypted as the other is.
alter table agents
add column previous_secret_encrypted bytea,
add column previous_secret_until timestamptz;
