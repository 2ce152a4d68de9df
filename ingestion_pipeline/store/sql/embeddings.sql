-- name: model
select id, dimensions from embedding_models where name = %s

-- name: add_model
insert into embedding_models (name, dimensions) values (%(name)s, %(dimensions)s) on conflict (name) do nothing

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

-- name: delete_passages
delete from passages where video = %s

-- name: copy_passages
copy passages (video, idx, start_s, end_s, text, text_hash) from stdin (format binary)

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
