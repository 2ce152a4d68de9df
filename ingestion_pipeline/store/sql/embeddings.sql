-- name: embedded_as
select e.fingerprint, m.dimensions
from embedded_videos e
join embedding_models m on m.id = e.model
where m.name = %(model)s and e.video = %(video)s

-- name: hashes
select e.idx, e.text_hash
from embeddings e
join embedding_models m on m.id = e.model
where m.name = %(model)s and e.video = %(video)s

-- name: passage_hashes
select idx, text_hash from passages where video = %s

-- name: delete_passages
delete from passages where video = %s

-- name: copy_passages
copy passages (video, idx, start_s, end_s, text, text_hash, language) from stdin (format binary)

-- name: delete_embeddings
delete from embeddings where model = %(model)s and video = %(video)s and not idx = any(%(kept)s)

-- name: copy_embeddings
copy embeddings (model, video, idx, text_hash, embedding) from stdin (format binary)

-- name: forget_other_fingerprints
delete from embedded_videos where video = %(video)s and fingerprint <> %(fingerprint)s

-- name: save_fingerprint
insert into embedded_videos (model, video, fingerprint)
values (%(model)s, %(video)s, %(fingerprint)s)
on conflict (model, video) do update set fingerprint = excluded.fingerprint, embedded_at = now()

-- name: lacking
select p.video, count(*)
from passages p
left join embeddings e on e.model = %(model)s and e.video = p.video and e.idx = p.idx and e.text_hash = p.text_hash
where e.video is null
group by p.video
order by p.video

-- name: texts_lacking
select p.video, p.idx, p.text_hash, p.text
from passages p
left join embeddings e on e.model = %(model)s and e.video = p.video and e.idx = p.idx and e.text_hash = p.text_hash
where p.video = any(%(videos)s) and e.video is null
order by p.video, p.idx

-- name: delete_outdated
delete from embeddings where model = %(model)s and video = %(video)s and idx = any(%(indices)s)

-- name: take_over_fingerprints
insert into embedded_videos (model, video, fingerprint)
select distinct on (o.video) %(model)s, o.video, o.fingerprint
from embedded_videos o
where o.video = any(%(videos)s) and o.model <> %(model)s and not exists (
    select from passages p
    left join embeddings e
        on e.model = %(model)s and e.video = p.video and e.idx = p.idx and e.text_hash = p.text_hash
    where p.video = o.video and e.video is null
)
on conflict (model, video) do update set fingerprint = excluded.fingerprint, embedded_at = now()

-- name: fingerprints_lacking
select distinct video from embedded_videos
except
select video from embedded_videos where model = %s

-- name: fingerprints
select video, fingerprint from embedded_videos where model = %s

-- name: figures
select
    count(*),
    coalesce(max(vector_dims(e.embedding)), 0),
    coalesce(min(l2_norm(e.embedding)), 1),
    coalesce(max(l2_norm(e.embedding)), 1)
from embeddings e
join embedding_models m on m.id = e.model
where m.name = %(model)s and e.video = %(video)s

-- name: passages_stored
select count(*) from passages where video = %s
