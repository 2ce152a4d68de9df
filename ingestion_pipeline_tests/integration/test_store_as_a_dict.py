"""The store against a plain dict: replace, embed with two models, delete, in any order."""

import hashlib

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ingestion_pipeline import pipeline
from ingestion_pipeline.embedding.passages import passages_of
from ingestion_pipeline.store import catalogue, transcripts
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.search import nearest_passages
from ingestion_pipeline_tests.support.examples import WordEmbedder, transcript, video

VIDEOS = [video(number) for number in range(3)]
MODELS = {name: WordEmbedder(name) for name in ("first", "second")}
words = st.lists(st.sampled_from(["bread.", "honey.", "sea.", "train.", "\0moon."]), max_size=12)


class StoreMachine(RuleBasedStateMachine):
    """`texts` is what the transcripts should be, `searchable` the passages by model and video."""

    database: Database

    @initialize()
    def begin(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.searchable: dict[tuple[str, str], list[str]] = {}
        self.current: dict[str, list[str]] = {}
        with self.database.writing() as connection:
            connection.execute("truncate videos, embedding_models cascade")
            catalogue.save_videos(connection, VIDEOS)

    @rule(key=st.sampled_from([video.key for video in VIDEOS]), texts=words)
    def transcribe(self, key: str, texts: list[str]) -> None:
        fingerprint = hashlib.sha256(repr(texts).encode()).hexdigest()
        with self.database.writing() as connection:
            transcripts.save_transcript(connection, key, transcript(*texts, fingerprint=fingerprint))
        self.texts[key] = [text.replace("\0", "") for text in texts]

    @rule(
        key=st.sampled_from([video.key for video in VIDEOS]),
        model=st.sampled_from(sorted(MODELS)),
        force=st.booleans(),
    )
    def embed(self, key: str, model: str, force: bool) -> None:
        if key not in self.texts:
            return
        done = pipeline.embed(self.database, key, MODELS[model], force=force, log=lambda _: None)
        passages = [passage.text for passage in passages_of(transcript(*self.texts[key]).segments)]
        assert done.passages == len(passages)
        self.current[key] = passages
        self.searchable[model, key] = passages

    @rule(key=st.sampled_from([video.key for video in VIDEOS]))
    def delete(self, key: str) -> None:
        with self.database.writing() as connection:
            connection.execute("delete from videos where key = %s", (key,))
            catalogue.save_videos(connection, [one for one in VIDEOS if one.key == key])
        self.texts.pop(key, None)
        self.current.pop(key, None)
        for model in MODELS:
            self.searchable.pop((model, key), None)

    @invariant()
    def transcripts_are_those_of_the_dict(self) -> None:
        with self.database.connection() as connection:
            rows = connection.execute("select video from transcripts").fetchall()
            assert {key for (key,) in rows} == set(self.texts)
            for key, texts in self.texts.items():
                assert [part.text for part in transcripts.transcript_of(connection, key).segments] == texts

    @invariant()
    def a_search_finds_the_embedded_passages_and_no_others(self) -> None:
        for model, embedder in MODELS.items():
            with self.database.connection() as connection:
                found = nearest_passages(connection, model, embedder.query("bread."), 1000)
            # Where another model has embedded a newer text, what has changed waits for this model's turn.
            wanted = [
                (key, text)
                for (name, key), texts in self.searchable.items()
                if name == model
                for text, now in zip(texts, self.current[key], strict=False)
                if text == now
            ]
            assert sorted((one.video.key, one.passage.text) for one in found) == sorted(wanted)
            similarities = [one.similarity for one in found]
            assert similarities == sorted(similarities, reverse=True)
            for one in found:
                exact = float(np.dot(embedder.query(one.passage.text), embedder.query("bread.")))
                assert abs(one.similarity - exact) < 0.01


def test_the_store_is_like_a_dict(database: Database) -> None:
    machine = type("Machine", (StoreMachine,), {"database": database})
    from hypothesis.stateful import run_state_machine_as_test

    quick = settings(max_examples=15, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=quick)
