-- name: nearest
select p.video, p.start_s, p.end_s, p.text, 1 - (e.embedding <=> %(query)s) as similarity
from embeddings e
join passages p on p.video = e.video and p.idx = e.idx and p.text_hash = e.text_hash
where e.model = (select id from embedding_models where name = %(model)s)
order by e.embedding <=> %(query)s
limit %(limit)s

-- name: sentences
select start_s, end_s, text, avg_logprob, compression_ratio, no_speech_prob, temperature
from segments
where video = %(video)s and start_s < %(end)s and end_s > %(start)s
order by idx
