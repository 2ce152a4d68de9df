-- name: model
select id, name, dimensions, active from embedding_models where name = %s

-- name: active
select id, name, dimensions, active from embedding_models where active

-- name: all
select id, name, dimensions, active from embedding_models order by id

-- name: lock
lock table embedding_models in share row exclusive mode

-- name: add
insert into embedding_models (name, dimensions, active)
values (%(name)s, %(dimensions)s, not exists (select from embedding_models where active))
on conflict (name) do nothing

-- name: lock_embeddings
lock table embeddings in share mode

-- name: uncovered
select count(*)
from (
    select p.video, p.idx, p.text_hash
    from passages p join embeddings e on e.video = p.video and e.idx = p.idx and e.text_hash = p.text_hash
    where e.model = %(active)s
    except all
    select p.video, p.idx, p.text_hash
    from passages p join embeddings e on e.video = p.video and e.idx = p.idx and e.text_hash = p.text_hash
    where e.model = %(wanted)s
) _

-- name: deactivate
update embedding_models set active = false where active

-- name: activate
update embedding_models set active = true where id = %s

-- name: delete_embeddings
delete from embeddings where model = %s

-- name: delete_fingerprints
delete from embedded_videos where model = %s

-- name: delete_model
delete from embedding_models where id = %s
