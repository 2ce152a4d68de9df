-- name: new
select v.key, v.title, v.channel, v.source, v.media_url, v.duration_s, null::timestamptz as retry_at
from videos v
left join failures f on f.video = v.key
where f.video is null and not exists (select from embedded_videos e where e.video = v.key)
order by coalesce(v.published_at, v.discovered_at) desc, v.key

-- name: retries
select v.key, v.title, v.channel, v.source, v.media_url, v.duration_s, f.retry_at
from failures f
join videos v on v.key = f.video
where f.retry_at <= %(now)s
order by f.retry_at, v.key

-- name: set_back
select
    count(*) filter (where retry_at > %(now)s) as waiting,
    min(retry_at) filter (where retry_at > %(now)s) as next_at,
    count(*) filter (where retry_at is null) as for_good
from failures

-- name: holders
select distinct substr(application_name, length('ingest ') + 1)
from pg_stat_activity
where datname = current_database() and application_name like 'ingest %%'
