"""Audio and transcripts of videos; a transcript is written and replaced whole, in the caller's transaction."""

from dataclasses import asdict, dataclass
from pathlib import Path

from psycopg import Connection

from ingestion_pipeline.errors import Permanent
from ingestion_pipeline.records import Audio, Segment, Transcript

from .queries import queries

_SQL = queries("transcripts")
_SEGMENT_TYPES = ["text", "int4", "float8", "float8", "text", "float4", "float4", "float4", "float4"]


@dataclass(frozen=True)
class Served:
    """A file of which a transcript was made."""

    video: str
    path: Path


def audio_of(connection: Connection, video: str) -> Audio | None:
    """Return what was downloaded for a video, None where nothing was."""
    row = connection.execute(_SQL["audio"], (video,)).fetchone()
    return Audio(Path(row[0]), *row[1:]) if row else None


def save_audio(connection: Connection, video: str, audio: Audio) -> None:
    """Note where the audio of a video lies; the same audio again counts as fetched when it was first.

    A video whose listing has no date gets that of its page: YouTube's lists say "2 years ago".
    """
    values = {**asdict(audio), "video": video, "path": str(audio.path)}
    connection.execute(_SQL["save_audio"], values)
    connection.execute(_SQL["save_date"], values)


def served_audio(connection: Connection, local: str, days: int, video: str | None = None) -> list[Served]:
    """Return the audio, of one video or of all, of which a transcript was made at least `days` ago.

    That of videos whose extractor is `local` belongs to somebody else.
    """
    rows = connection.execute(_SQL["served_audio"], {"local": local, "days": days, "video": video})
    return [Served(video, Path(path)) for video, path in rows]


def is_transcribed(connection: Connection, video: str) -> bool:
    """Tell whether there is a transcript of the audio that was fetched last."""
    return connection.execute(_SQL["is_transcribed"], (video,)).fetchone() == (True,)


def fingerprint_of(connection: Connection, video: str) -> str | None:
    """Return what the transcript of a video was made from, None where there is none."""
    row = connection.execute(_SQL["fingerprint"], (video,)).fetchone()
    return row[0] if row else None


def transcript_of(connection: Connection, video: str) -> Transcript:
    """Return the transcript of a video; raise `Permanent` where there is none."""
    row = connection.execute(_SQL["transcript"], (video,)).fetchone()
    if row is None:
        raise Permanent(f"Video {video} has no transcript.", f"Run `ingest run {video}`.")
    language, duration_s, speech_s, model, fingerprint, decoded_again, left_out_s = row
    segments = [Segment(*values) for values in connection.execute(_SQL["segments"], (video,))]
    return Transcript(language, duration_s, speech_s, segments, model, fingerprint, decoded_again, left_out_s)


def save_transcript(connection: Connection, video: str, transcript: Transcript) -> None:
    """Replace the transcript of a video; until it is embedded, the video is one that waits."""
    connection.execute(_SQL["delete_transcript"], (video,))
    connection.execute(
        _SQL["save_transcript"],
        {
            "video": video,
            "fingerprint": transcript.fingerprint,
            "model": transcript.model,
            "language": transcript.language,
            "duration_s": transcript.duration_s,
            "speech_s": transcript.speech_s,
            "decoded_again": transcript.decoded_again,
            "left_out_s": transcript.left_out_s,
        },
    )
    with connection.cursor() as cursor, cursor.copy(_SQL["copy_segments"]) as copy:
        copy.set_types(_SEGMENT_TYPES)
        for index, segment in enumerate(transcript.segments):
            copy.write_row((video, index, *_values(segment)))


def _values(segment: Segment) -> tuple[float | str, ...]:
    """Return the columns of a segment; PostgreSQL takes no NUL in a text."""
    return (
        segment.start,
        segment.end,
        segment.text.replace("\0", ""),
        segment.avg_logprob,
        segment.compression_ratio,
        segment.no_speech_prob,
        segment.temperature,
    )
