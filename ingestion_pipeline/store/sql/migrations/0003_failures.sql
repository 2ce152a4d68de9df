create table failures (
    video text primary key references videos on delete cascade,
    asset text not null,
    kind text not null,
    reason text not null,
    remedy text not null,
    attempts integer not null,
    run_id text not null,
    failed_at timestamptz not null default now(),
    retry_at timestamptz,
    told_at timestamptz
);
comment on table failures is 'Videos that failed or wait, until a success clears them; retry_at is null where a person has to ask.';

create table sites (
    host text primary key,
    next_request_at timestamptz not null default now(),
    blocked_until timestamptz,
    reason text
);
comment on table sites is 'One limiter and one breaker for each host, for all runs on all machines.';

alter table sources
    add column error text,
    add column reconciled_at timestamptz;
comment on column sources.error is 'Why the last listing failed; null where it did not.';
