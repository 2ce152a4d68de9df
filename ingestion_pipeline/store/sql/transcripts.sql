-- name: audio
select path, sha256, size, duration_s, codec, sample_rate, channels, language from audio where video = %s

-- name: save_audio
insert into audio (video, path, sha256, size, duration_s, codec, sample_rate, channels, language)
values (
    %(video)s, %(path)s, %(sha256)s, %(size)s, %(duration_s)s, %(codec)s, %(sample_rate)s, %(channels)s, %(language)s
)
on conflict (video) do update set
    path = excluded.path,
    sha256 = excluded.sha256,
    size = excluded.size,
    duration_s = excluded.duration_s,
    codec = excluded.codec,
    sample_rate = excluded.sample_rate,
    channels = excluded.channels,
    language = excluded.language,
    fetched_at = case when audio.sha256 = excluded.sha256 then audio.fetched_at else now() end

-- name: save_date
update videos set published_at = %(published_at)s where key = %(video)s and published_at is null

-- name: served_audio
select a.video, a.path
from audio a
join videos v on v.key = a.video
join transcripts t on t.video = a.video
where v.extractor <> %(local)s
    and t.created_at >= a.fetched_at
    and t.created_at <= now() - make_interval(days => %(days)s)
    and (%(video)s::text is null or a.video = %(video)s)
order by a.video

-- name: is_transcribed
select exists (
    select from audio a join transcripts t on t.video = a.video where a.video = %s and t.created_at >= a.fetched_at
)

-- name: fingerprint
select fingerprint from transcripts where video = %s

-- name: transcript
select language, duration_s, speech_s, model, fingerprint, decoded_again, left_out_s from transcripts where video = %s

-- name: segments
select start_s, end_s, text, avg_logprob, compression_ratio, no_speech_prob, temperature
from segments
where video = %s
order by idx

-- name: delete_transcript
with deleted as (delete from transcripts where video = %s returning video)
delete from embedded_videos e using deleted d where e.video = d.video

-- name: save_transcript
insert into transcripts (video, fingerprint, model, language, duration_s, speech_s, decoded_again, left_out_s)
values (
    %(video)s, %(fingerprint)s, %(model)s, %(language)s, %(duration_s)s, %(speech_s)s, %(decoded_again)s, %(left_out_s)s
)

-- name: copy_segments
copy segments (video, idx, start_s, end_s, text, avg_logprob, compression_ratio, no_speech_prob, temperature)
from stdin (format binary)
