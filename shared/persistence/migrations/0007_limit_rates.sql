-- Token buckets: what a caller may still ask for at once, as of `refilled_at`. Rows change with every request and carry nothing
-- that another row needs: room in each page keeps the updates off the index.
create table rate_limits (
    bucket text primary key,
    tokens double precision not null,
    refilled_at timestamptz not null,
    -- Whether the last request got its token.
    admitted boolean not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
