"""The quality of what is stored of a video."""

from psycopg import Connection

from . import quality
from .errors import Permanent
from .quality import Finding, Limits, Vectors
from .store import embeddings, transcripts
from .store.catalogue import video_of


def audio_findings(connection: Connection, key: str, limits: Limits) -> list[Finding]:
    """Return what is found in the audio of a video; raise `Permanent` where there is none."""
    audio = transcripts.audio_of(connection, key)
    if audio is None:
        raise Permanent(f"Video {key} has no audio.", "Materialize its raw_audio.")
    return quality.of_audio(video_of(connection, key), audio, limits)


def transcript_findings(connection: Connection, key: str, limits: Limits) -> list[Finding]:
    """Return what is found in the transcript of a video; raise `Permanent` where there is none."""
    language = quality.expected_language(video_of(connection, key), transcripts.audio_of(connection, key))
    return quality.of_transcript(transcripts.transcript_of(connection, key), language, limits)


def embedding_findings(connection: Connection, key: str, model: str) -> list[Finding]:
    """Return what is found in the embeddings of a video by this model."""
    known = embeddings.embedded_as(connection, model, key)
    vectors = Vectors(*embeddings.stored_figures(connection, model, key))
    passages = embeddings.passages_stored(connection, key)
    return quality.of_vectors(vectors, passages, known.dimensions if known else 0)
