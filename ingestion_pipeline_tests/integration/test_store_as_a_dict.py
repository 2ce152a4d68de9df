"""The store against plain dicts: transcribe, embed with two models, delete, in any order.

Each sentence is a passage of its own, so that a text is kept, changed, added or taken away alone.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ingestion_pipeline import pipeline
from ingestion_pipeline.embedding.passages import SILENCE_S
from ingestion_pipeline.records import Segment, Transcript
from ingestion_pipeline.store import catalogue, transcripts
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.search import nearest_passages
from ingestion_pipeline_tests.support.examples import WordEmbedder, video

VIDEOS = {one.key: one for one in map(video, range(3))}
MODELS = {name: WordEmbedder(name) for name in ("first", "second")}
keys, models = st.sampled_from(sorted(VIDEOS)), st.sampled_from(sorted(MODELS))
sentences = st.lists(st.sampled_from(["bread.", "honey.", "sea.", "train.", "\0moon.", ""]), max_size=8)


@dataclass(frozen=True)
class Said:
    """What is said in a video: texts, the first of them at `start` (s)."""

    texts: tuple[str, ...]
    start: int

    @property
    def passages(self) -> list[tuple[float, str]]:
        """Start and text of each passage."""
        return [(segment.start, segment.text) for segment in self.segments if segment.text]

    @property
    def segments(self) -> list[Segment]:
        """Sentences of 1 s with silences between them that end a passage."""
        starts = (self.start + (SILENCE_S + 2) * number for number in range(len(self.texts)))
        return [Segment(start, start + 1, text) for start, text in zip(starts, self.texts, strict=True)]


class StoreMachine(RuleBasedStateMachine):
    """What the store should hold.

    `said` by video; `shown`, the passages of its last embedding by any model; `vectors`, the texts that a model has
    embedded, by model and video; `done`, those pairs whose embeddings are those of the transcript.
    """

    database: Database

    @initialize()
    def begin(self) -> None:
        self.said: dict[str, Said] = {}
        self.shown: dict[str, list[tuple[float, str]]] = {}
        self.vectors: dict[tuple[str, str], list[str]] = {}
        self.done: set[tuple[str, str]] = set()
        with self.database.writing() as connection:
            connection.execute("truncate videos, embedding_models cascade")
            catalogue.save_videos(connection, list(VIDEOS.values()))

    @rule(key=keys, texts=sentences, start=st.integers(0, 1))
    def transcribe(self, key: str, texts: list[str], start: int) -> None:
        fingerprint = hashlib.sha256(repr((texts, start)).encode()).hexdigest()
        segments = Said(tuple(texts), start).segments
        with self.database.writing() as connection:
            transcripts.save_transcript(connection, key, Transcript("en", 60, 8, segments, "demo-en", fingerprint))
        self.said[key] = Said(tuple(text.replace("\0", "") for text in texts), start)
        self.done -= {(model, key) for model in MODELS}

    @rule(key=keys, model=models, force=st.booleans())
    def embed(self, key: str, model: str, force: bool) -> None:
        if key not in self.said:
            return
        texts = [text for _, text in self.said[key].passages]
        known = [] if force else self.vectors.get((model, key), [])
        new = [text for index, text in enumerate(texts) if known[index : index + 1] != [text]]
        MODELS[model].embedded.clear()
        found = pipeline.embed(self.database, key, MODELS[model], force=force, log=lambda _: None)
        assert (found.passages, found.written, found.dimensions) == (len(texts), len(new), WordEmbedder.dimensions)
        assert MODELS[model].embedded == new
        self.done.add((model, key))
        self.vectors[model, key] = texts
        self.shown[key] = self.said[key].passages

    @rule(key=keys)
    def delete(self, key: str) -> None:
        with self.database.writing() as connection:
            connection.execute("delete from videos where key = %s", (key,))
            catalogue.save_videos(connection, [VIDEOS[key]])
        self.said.pop(key, None)
        self.shown.pop(key, None)
        for model in MODELS:
            self.vectors.pop((model, key), None)
            self.done.discard((model, key))

    @invariant()
    def transcripts_are_those_of_the_dict(self) -> None:
        with self.database.connection() as connection:
            rows = connection.execute("select video from transcripts").fetchall()
            assert {key for (key,) in rows} == set(self.said)
            for key, said in self.said.items():
                assert transcripts.transcript_of(connection, key).segments == said.segments

    @invariant()
    def what_is_not_embedded_waits(self) -> None:
        with self.database.connection() as connection:
            for model in MODELS:
                waiting = catalogue.videos_to_do(connection, model)
                assert sorted(waiting) == [key for key in sorted(VIDEOS) if (model, key) not in self.done]

    @invariant()
    def a_search_finds_the_embedded_passages_and_no_others(self) -> None:
        for model, embedder in MODELS.items():
            query = embedder.query("bread.")
            with self.database.connection() as connection:
                found = nearest_passages(connection, model, query, 1000)
            # Where another model has embedded a newer text, what has changed waits for this model's turn.
            wanted = [
                (key, *passage)
                for (name, key), texts in self.vectors.items()
                if name == model
                for passage, text in zip(self.shown[key], texts, strict=False)
                if passage[1] == text
            ]
            assert sorted((one.video.key, one.passage.start, one.passage.text) for one in found) == sorted(wanted)
            similarities = [one.similarity for one in found]
            assert similarities == sorted(similarities, reverse=True)
            exact = [float(np.dot(embedder.query(one.passage.text), query)) for one in found]
            assert np.allclose(similarities, exact, atol=0.01)


def test_the_store_is_like_a_dict(database: Database) -> None:
    machine = type("Machine", (StoreMachine,), {"database": database})
    quick = settings(max_examples=15, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=quick)
