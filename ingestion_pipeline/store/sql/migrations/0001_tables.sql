create table sources (
    name text primary key,
    config_hash text not null,
    etag text,
    last_modified text,
    listed_at timestamptz not null default now()
);
comment on table sources is 'What is known of each source since it was last listed; etag and last_modified are those of its feed.';

create table videos (
    key text primary key,
    source text not null,
    extractor text not null,
    source_id text not null,
    media_url text not null,
    page_url text not null,
    title text not null,
    channel text not null,
    published_at timestamptz,
    duration_s double precision,
    language text,
    live_status text,
    discovered_at timestamptz not null default now(),
    unique (extractor, source_id)
);
comment on table videos is 'The catalogue: all that the later stages need of a video; key is the partition key.';

create table audio (
    video text primary key references videos on delete cascade,
    path text not null,
    sha256 text not null,
    size bigint not null,
    duration_s double precision not null,
    codec text not null,
    sample_rate integer not null,
    channels integer not null,
    language text,
    fetched_at timestamptz not null default now()
);

create table transcripts (
    video text primary key references videos on delete cascade,
    fingerprint text not null,
    model text not null,
    language text not null,
    duration_s double precision not null,
    speech_s double precision not null,
    created_at timestamptz not null default now()
);

create table segments (
    video text not null references transcripts on delete cascade,
    idx integer not null,
    start_s double precision not null,
    end_s double precision not null,
    text text not null,
    avg_logprob real not null,
    compression_ratio real not null,
    no_speech_prob real not null,
    temperature real not null,
    primary key (video, idx)
);

create table passages (
    video text not null references videos on delete cascade,
    idx integer not null,
    start_s double precision not null,
    end_s double precision not null,
    text text not null,
    text_hash bytea not null,
    primary key (video, idx)
);
comment on table passages is 'Written with their embeddings: a new transcript shows in a search once it is embedded.';

create table embedding_models (
    id smallint primary key generated always as identity,
    name text not null unique,
    dimensions integer not null
);

create table embeddings (
    model smallint not null references embedding_models,
    video text not null references videos on delete cascade,
    idx integer not null,
    text_hash bytea not null,
    embedding halfvec not null,
    primary key (model, video, idx)
);

create table embedded_videos (
    model smallint not null references embedding_models,
    video text not null references videos on delete cascade,
    fingerprint text not null,
    embedded_at timestamptz not null default now(),
    primary key (model, video)
);
comment on table embedded_videos is 'Which transcript, by its fingerprint and the passage rule, the embeddings of a video come from.';
