"""The steps of a video: fetch, transcribe, embed. Each does nothing when what it depends on is unchanged.

A step holds its video alone while it works, and writes its result in one transaction at its end: over a connection
that is new where the work may take hours, for which none can be trusted to stay.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from . import quality
from .audio.files import unchanged
from .discovery import catalogued
from .embedding import passages as passage_rule
from .embedding.embedder import Embedder
from .errors import Permanent
from .politeness import WEB, Web
from .records import LOCAL, Audio, Transcript, Video
from .retries import tried_again
from .speech.recogniser import Recogniser, Recognition
from .store import catalogue, embedding_models, embeddings, transcripts
from .store.database import Database

Log = Callable[[str], None]
_POOR_TRANSCRIPT = (
    "Materialize transcripts with force (raw_audio too, where the audio is gone), perhaps with another WHISPER_MODEL, "
    "or segment_embeddings with force to take the text as it is."
)


@dataclass(frozen=True)
class Fetched:
    """The audio of a video; `changed` is False where it was there already."""

    video: Video
    audio: Audio
    changed: bool


@dataclass(frozen=True)
class Transcribed:
    """The transcript of a video; `recognition` is how it was made now, None where there was nothing to do.

    `findings` are those of its quality.
    """

    video: Video
    transcript: Transcript
    recognition: Recognition | None
    findings: Sequence[quality.Finding]

    @property
    def changed(self) -> bool:
        """Whether it was made now."""
        return self.recognition is not None


@dataclass(frozen=True)
class Embedded:
    """What was embedded: `written` of `passages` had a new text, vectors have `dimensions` numbers."""

    video: Video
    passages: int
    written: int
    dimensions: int
    fingerprint: str


def fetch(
    database: Database,
    key: str,
    download: Callable[[Video, Log], Audio],
    web: Web = WEB,
    *,
    retry_pause_s: float = 5,
    force: bool = False,
    log: Log,
) -> Fetched:
    """Download the audio of a video when its site's turn has come; what may pass is tried again after a pause (s)."""
    with database.only_run_of(key):
        video = catalogued(database, key, web, log=log)
        with database.connection() as connection:
            known, heard = transcripts.audio_of(connection, key), transcripts.is_transcribed(connection, key)
        if known and heard and not force and not known.path.exists():
            log(f"the audio is transcribed and gone: {known.path}")
            return Fetched(video, known, changed=False)
        if known and not force and unchanged(known, in_place=video.extractor == LOCAL):
            log(f"unchanged: {known.path}")
            return Fetched(video, known, changed=False)

        def in_turn() -> Audio:
            with web.politeness.turn(database, video, log):
                return download(video, log)

        audio = tried_again(in_turn, retry_pause_s, log)
        with database.writing() as connection:
            transcripts.save_audio(connection, key, audio)
        if known and known.path != audio.path and video.extractor != LOCAL:
            known.path.unlink(missing_ok=True)  # this time the site gave another container
        return Fetched(video, audio, changed=True)


def transcribe(
    database: Database,
    key: str,
    recogniser: Recogniser,
    workers: int | None,
    limits: quality.Limits = quality.DEFAULTS,
    *,
    force: bool = False,
    log: Log,
) -> Transcribed:
    """Transcribe the audio of a video; at most `workers` videos at once, None where the recogniser sees to that."""
    with database.only_run_of(key):
        with database.connection() as connection:
            video, audio = catalogue.video_of(connection, key), transcripts.audio_of(connection, key)
            known = transcripts.fingerprint_of(connection, key)
            language = quality.expected_language(video, audio)
            same = audio and known == recogniser.fingerprint(audio, language)
            gone = audio and not audio.path.exists() and transcripts.is_transcribed(connection, key)
            if (same or gone) and not force:
                log("unchanged: same audio, model and parameters" if same else "kept: its audio is gone")
                transcript = transcripts.transcript_of(connection, key)
                return Transcribed(video, transcript, None, quality.of_transcript(transcript, language, limits))
        if audio is None or not audio.path.exists():
            raise Permanent(f"The audio of video {key} is not there.", "Materialize its raw_audio with force.")
        database.close_idle()
        with database.recognising(workers) if workers else nullcontext():
            recognition = recogniser.transcribe(key, audio, language, log)
        with database.writing() as connection:
            transcripts.save_transcript(connection, key, recognition.transcript)
        findings = quality.of_transcript(recognition.transcript, language, limits)
        return Transcribed(video, recognition.transcript, recognition, findings)


def embed(
    database: Database,
    key: str,
    embedder: Embedder,
    limits: quality.Limits = quality.DEFAULTS,
    *,
    force: bool = False,
    log: Log,
) -> Embedded:
    """Embed the passages of a video whose text is new; raise `LowQuality` for a text that is not worth it.

    With `force` it is embedded as it is.
    """
    with database.only_run_of(key) as held:
        video, audio = catalogue.video_of(held, key), transcripts.audio_of(held, key)
        transcript = transcripts.transcript_of(held, key)
        passages = passage_rule.passages_of(transcript.segments)
        fingerprint = _digest(passage_rule.RULE, transcript.language, passages)
        known = embeddings.embedded_as(held, embedder.model, key)
        hashes = {} if force else embeddings.stored_hashes(held, embedder.model, key)
        if known and known.fingerprint == fingerprint and not force:
            log("unchanged: same transcript, passage rule and model")
            return Embedded(video, len(passages), 0, known.dimensions, fingerprint)
        if not force:
            findings = quality.of_transcript(transcript, quality.expected_language(video, audio), limits)
            quality.require(f"The transcript of video {key}", findings, _POOR_TRANSCRIPT)
        new = [index for index, passage in enumerate(passages) if hashes.get(index) != embeddings.text_hash(passage)]
        vectors = embedder.documents([passages[index].text for index in new])
        findings = quality.of_vectors(quality.figures_of(vectors), len(new), embedder.dimensions)
        quality.require(f"What {embedder.model} gives for video {key}", findings, "Give another EMBEDDING_MODEL.")
        rows = dict(zip(new, vectors, strict=True))
        with database.writing(held) as connection:
            model = embedding_models.have_model(connection, embedder.model, embedder.dimensions)
            embeddings.save_embeddings(connection, model, key, passages, rows, fingerprint, transcript.language)
        return Embedded(video, len(passages), len(new), embedder.dimensions, fingerprint)


def embed_for_search(
    database: Database,
    key: str,
    embedder: Embedder,
    limits: quality.Limits = quality.DEFAULTS,
    *,
    force: bool = False,
    log: Log,
) -> Embedded:
    """Embed a video; where a search still asks another model, by that one first, so that it is found at once."""
    with database.connection() as connection:
        active = embedding_models.active_model(connection)
    if active and active.name != embedder.model:
        log(f"a search still asks {active.name}")
        embed(database, key, embedder.of(active.name), limits, force=force, log=log)
    return embed(database, key, embedder, limits, force=force, log=log)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
