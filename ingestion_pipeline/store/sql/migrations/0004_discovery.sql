alter table sources add column channel_id text;
comment on column sources.channel_id is 'That of a YouTube channel, learned from its first listing.';

create table removed (
    video text primary key,
    title text not null,
    removed_at timestamptz not null default now()
);
comment on table removed is 'Videos that a person removed: no listing adds them again, `ingest add` does.';
