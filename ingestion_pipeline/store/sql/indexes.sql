-- name: try_lock
select pg_try_advisory_lock(%s, 0)

-- name: state
select i.indisvalid, pg_relation_size(i.indexrelid), m.index_build_s
from embedding_models m
left join pg_index i on i.indexrelid = to_regclass(%(index)s) and i.indrelid = 'embeddings'::regclass
where m.id = %(model)s

-- name: passages
select count(*) from embeddings where model = %s

-- name: drop
drop index concurrently if exists {index}

-- name: create
create index concurrently {index} on embeddings
using hnsw ((embedding::halfvec({dimensions})) halfvec_cosine_ops)
where model = {model}

-- name: note_build
update embedding_models set index_build_s = %(seconds)s where id = %(model)s

-- name: sample
select e.video, e.idx, e.embedding::text
from embeddings e
join passages p on p.video = e.video and p.idx = e.idx and p.text_hash = e.text_hash
where e.model = %(model)s
order by random()
limit %(count)s
