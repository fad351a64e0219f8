alter table outbox
-- A bit for each message of the row, 1 where Kafka has it: what one topic refused, or one broker did not answer for, comes again without
-- what the others have. Null: nothing is known.
add column published bit varying,
-- Since when something of it is refused, and that lasts, as of a topic that does not exist.
add column refused_since timestamptz;
