-- name: settings
select
    set_config('hnsw.iterative_scan', 'relaxed_order', true),
    set_config('hnsw.ef_search', %(ef_search)s, true),
    set_config('jit', 'off', true)

-- name: count_up_to
select count(*) from (select from passages p where {chosen} limit %(most)s) _

-- name: nearest
-- The outer order is for the relaxed one within; + 0 keeps PostgreSQL from taking one for the other.
with nearest as materialized (
    select e.video, e.idx, {embedding} <=> %(query)s::halfvec as distance
    from embeddings e
    where e.model = {model} and {chosen}
    order by {embedding} <=> %(query)s::halfvec
    limit %(limit)s
)
select video, idx from nearest order by distance + 0

-- name: asked
with configurations as (
    select distinct search_configuration(language) as configuration
    from transcripts
    where %(language)s::text is null or language = %(language)s
),
queries as (select plainto_tsquery(configuration, %(text)s)::text as query from configurations)
select
    (select string_agg(distinct format('(%%s)', query), ' | ') from queries where query <> ''),
    array(
        select distinct word
        from configurations, unnest(tsvector_to_array(to_tsvector(configuration, %(text)s))) as word
        limit %(most_words)s
    )

-- name: all_words
select video, idx
from (
    select p.video, p.idx, p.words
    from passages p
    where p.words @@ %(all_words)s::tsquery and {chosen}
    limit %(most)s
) p
order by ts_rank_cd(words, %(all_words)s::tsquery) desc, video, idx
limit %(limit)s

-- name: any_word
-- A word weighs the more, the fewer passages have it: no more than `most` of them are looked at for each word.
select found.video, found.idx
from unnest(%(words)s::text[]) as word
cross join lateral (
    select m.video, m.idx, count(*) over () as matches
    from (
        select p.video, p.idx
        from passages p
        where p.words @@ plainto_tsquery('simple', word) and {chosen}
        limit %(most)s
    ) m
) found
group by found.video, found.idx
order by sum(ln(1 + %(most)s / found.matches::float8)) desc, found.video, found.idx
limit %(limit)s

-- name: passages
select
    v.key, v.source, v.extractor, v.source_id, v.media_url, v.page_url, v.title, v.channel, v.published_at,
    v.duration_s, v.language, v.live_status,
    p.start_s, p.end_s, p.text, p.idx, p.language, 1 - (e.embedding <=> %(query)s::halfvec)
from unnest(%(videos)s::text[], %(indices)s::integer[]) with ordinality as wanted (video, idx, place)
join passages p on p.video = wanted.video and p.idx = wanted.idx
join videos v on v.key = p.video
join embeddings e on e.model = %(model)s and e.video = p.video and e.idx = p.idx and e.text_hash = p.text_hash
order by wanted.place

-- name: sentences
select
    wanted.place, s.start_s, s.end_s, s.text, s.avg_logprob, s.compression_ratio, s.no_speech_prob, s.temperature,
    (words @@ wanted.all_words)::integer + (words @@ wanted.some_words)::integer
from (
    select w.*, configuration, all_words, replace(all_words::text, ' & ', ' | ')::tsquery as some_words
    from
        unnest(%(videos)s::text[], %(starts)s::float8[], %(ends)s::float8[], %(languages)s::text[])
            with ordinality as w (video, start_s, end_s, language, place),
        search_configuration(w.language) as configuration,
        plainto_tsquery(configuration, %(text)s) as all_words
) wanted
join segments s on s.video = wanted.video and s.start_s <= wanted.end_s and s.end_s >= wanted.start_s
    -- Not those that only touch it; a sentence may have no length.
    and (s.start_s < wanted.end_s and s.end_s > wanted.start_s or s.start_s = s.end_s)
cross join lateral to_tsvector(wanted.configuration, s.text) as words
order by wanted.place, s.idx

-- name: marked
select ts_headline(
    search_configuration(said.language),
    said.text,
    plainto_tsquery(search_configuration(said.language), %(text)s),
    'HighlightAll=true, StartSel=**, StopSel=**'
)
from unnest(%(languages)s::text[], %(sentences)s::text[]) with ordinality as said (language, text, place)
order by said.place
