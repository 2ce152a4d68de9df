-- name: note
insert into failures as failure (video, asset, kind, reason, remedy, attempts, run_id, transient_runs)
select key, %(asset)s, %(kind)s, %(reason)s, %(remedy)s, 1, %(run_id)s, (%(kind)s = 'transient')::integer
from videos where key = %(video)s
on conflict (video) do update set
    asset = excluded.asset,
    kind = excluded.kind,
    reason = excluded.reason,
    remedy = excluded.remedy,
    attempts = case
        when excluded.kind = 'transient' then failure.transient_runs + 1
        when failure.kind = excluded.kind then failure.attempts + 1
        else 1
    end,
    transient_runs = case
        when excluded.kind = 'transient' then failure.transient_runs + 1
        when excluded.kind in ('breaker', 'deferred') then failure.transient_runs
        else 0
    end,
    run_id = excluded.run_id,
    failed_at = excluded.failed_at,
    told_at = case
        when failure.kind = excluded.kind or excluded.kind in ('breaker', 'deferred') then failure.told_at
        when excluded.kind = 'transient' and failure.transient_runs > 0 then failure.told_at
    end
returning attempts

-- name: schedule
update failures set
    retry_at = %(retry_at)s,
    told_at = case when retry_at is null or %(retry_at)s::timestamptz is not null then told_at end
where video = %(video)s

-- name: listed
select f.video, v.title, f.asset, f.kind, f.reason, f.remedy, f.attempts, f.run_id, f.failed_at, f.retry_at
from failures f
join videos v on v.key = f.video
where (%(video)s::text is null or f.video = %(video)s)
and (not %(untold)s or (f.told_at is null and f.kind <> 'deferred'))
order by f.kind, f.remedy, f.failed_at desc, f.video

-- name: clear
delete from failures where video = %(video)s and asset = %(asset)s

-- name: make_due
update failures f set retry_at = now()
from videos v
where v.key = f.video
and (%(videos)s::text[] is null or f.video = any(%(videos)s))
and (%(kind)s::text is null or f.kind = %(kind)s)
returning f.video, f.kind, v.media_url

-- name: told
update failures f set told_at = now()
from unnest(%(videos)s::text[], %(times)s::timestamptz[]) as told (video, failed_at)
where f.video = told.video and f.failed_at = told.failed_at
