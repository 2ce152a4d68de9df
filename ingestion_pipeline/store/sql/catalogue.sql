-- name: upsert_video
insert into videos (
    key, source, extractor, source_id, media_url, page_url, title, channel, published_at, duration_s, language,
    live_status, discovered_at
)
values (
    %(key)s, %(source)s, %(extractor)s, %(source_id)s, %(media_url)s, %(page_url)s, %(title)s, %(channel)s,
    %(published_at)s, %(duration_s)s, %(language)s, %(live_status)s, clock_timestamp()
)
on conflict (key) do update set
    media_url = excluded.media_url,
    page_url = excluded.page_url,
    title = excluded.title,
    channel = excluded.channel,
    published_at = coalesce(excluded.published_at, videos.published_at),
    duration_s = coalesce(excluded.duration_s, videos.duration_s),
    language = coalesce(excluded.language, videos.language),
    live_status = excluded.live_status

-- name: known_keys
select key from videos where key = any(%s)

-- name: is_named
select exists (select from videos where key = %(key)s and title <> %(key)s)

-- name: all_keys
select key from videos

-- name: video
select
    key, source, extractor, source_id, media_url, page_url, title, channel, published_at, duration_s, language,
    live_status
from videos
where key = %s

-- name: videos_to_do
select v.key
from videos v
left join transcripts t on t.video = v.key
left join embedded_videos e on e.video = v.key and e.model = (select id from embedding_models where name = %(model)s)
left join failures f on f.video = v.key
where (t.video is null or e.video is null)
and (%(failed)s or f.video is null or f.retry_at <= now())
order by coalesce(v.published_at, v.discovered_at) desc, v.key

-- name: removed_keys
select video from removed where video = any(%s)

-- name: restore
delete from removed where video = any(%s)

-- name: remove
insert into removed (video, title)
select key, title from videos where key = %s
on conflict (video) do update set removed_at = now()

-- name: delete_video
delete from videos where key = %s

-- name: transcribed_videos
select
    v.key, v.source, v.extractor, v.source_id, v.media_url, v.page_url, v.title, v.channel, v.published_at,
    v.duration_s, t.language, v.live_status
from videos v
join transcripts t on t.video = v.key
where (%(source)s::text is null or v.source = %(source)s)
    and (%(channel)s::text is null or v.channel = %(channel)s)
    and (%(language)s::text is null or t.language = %(language)s)
    and (%(video)s::text is null or v.key = %(video)s)
    and (%(since)s::timestamptz is null or v.published_at >= %(since)s)
    and (%(until)s::timestamptz is null or v.published_at < %(until)s)
order by v.published_at desc nulls last, v.key
limit %(limit)s offset %(offset)s

-- name: source_state
select config_hash, etag, last_modified, reconciled_at, channel_id from sources where name = %s

-- name: save_source_state
insert into sources (name, config_hash, etag, last_modified, reconciled_at, channel_id)
values (%(name)s, %(config_hash)s, %(etag)s, %(last_modified)s, %(reconciled_at)s, %(channel_id)s)
on conflict (name) do update set
    config_hash = excluded.config_hash,
    etag = excluded.etag,
    last_modified = excluded.last_modified,
    reconciled_at = excluded.reconciled_at,
    channel_id = excluded.channel_id,
    error = null,
    listed_at = now()

-- name: save_source_error
insert into sources (name, config_hash, error)
values (%(name)s, %(config_hash)s, %(error)s)
on conflict (name) do update set error = excluded.error

-- name: forget_sources
delete from sources where not name = any(%s)

-- name: source_counts
select
    coalesce(s.name, v.source) as source,
    count(v.key) as found,
    count(e.video) as done,
    count(f.video) filter (where f.retry_at is null) as failed,
    count(f.video) filter (where f.retry_at is not null and f.kind <> 'breaker') as waits,
    count(f.video) filter (where f.retry_at is not null and f.kind = 'breaker') as blocked,
    s.error
from sources s
full join videos v on v.source = s.name
left join embedded_videos e on e.video = v.key and e.model = (select id from embedding_models where name = %(model)s)
left join failures f on f.video = v.key
group by 1, s.error
order by 1
