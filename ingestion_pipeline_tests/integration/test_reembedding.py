"""A change of the embedding model: filled in beside the old one, interrupted anywhere, switched without a gap."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from ingestion_pipeline import pipeline
from ingestion_pipeline.moments import find_moments
from ingestion_pipeline.reembedding import LEAST_RECALL, drop_others, keep_up, reason_to_keep_up, reembed
from ingestion_pipeline.store import embeddings, indexes
from ingestion_pipeline.store.catalogue import videos_to_do
from ingestion_pipeline.store.database import Database
from ingestion_pipeline.store.embedding_models import active_model, all_models, model_named, switch, uncovered
from ingestion_pipeline_tests.support.examples import WordEmbedder, keep, video
from ingestion_pipeline_tests.support.locks import wait_for_a_waiting_lock
from ingestion_pipeline_tests.support.passages import have_bad_index, have_passages

OLD, NEW = WordEmbedder("old"), WordEmbedder("new")
VIDEOS = 40


class Interrupted(WordEmbedder):
    """Stops as by Ctrl-C once it has embedded so many texts."""

    def __init__(self, model: str, after: int) -> None:
        super().__init__(model)
        self.after = after

    def documents(self, texts: list[str]) -> np.ndarray:
        if len(self.embedded) + len(texts) > self.after:
            raise KeyboardInterrupt
        return super().documents(texts)


class Overtaken(WordEmbedder):
    """The new model; while it works, a video gets a new text, and a run embeds that by the active model and by `by`."""

    def __init__(self, database: Database, by: WordEmbedder) -> None:
        super().__init__(NEW.model)
        self.database, self.by = database, by

    def documents(self, texts: list[str]) -> np.ndarray:
        if not self.embedded:
            keep(self.database, video(0), "Something else.")
            pipeline.embed(self.database, video(0).key, self.by, log=print)
        return super().documents(texts)


class Killed(WordEmbedder):
    """Kills its process as the vector after so many is asked for, which is while the one before is written."""

    def __init__(self, model: str, after: int) -> None:
        super().__init__(model)
        self.left = after

    def documents(self, texts: list[str]) -> Iterator[np.ndarray]:  # type: ignore[override]
        for vector in super().documents(texts):
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
            yield vector


def reembed_until_killed(database: Database, after: int) -> None:
    reembed(database, Killed(NEW.model, after), print)


@pytest.fixture
def ingested(database: Database) -> Database:
    """Forty videos of one passage each, embedded by the old model; one more without speech."""
    for number in range(VIDEOS):
        keep(database, video(number), f"Honey number {number}.")
        pipeline.embed(database, video(number).key, OLD, log=print)
    keep(database, video(VIDEOS))
    pipeline.embed(database, video(VIDEOS).key, OLD, log=print)
    return database


def asked(database: Database) -> str:
    with database.connection() as connection:
        model = active_model(connection)
    assert model
    return model.name


def to_do(database: Database, model: str) -> list[str]:
    with database.connection() as connection:
        return videos_to_do(connection, model)


def count(database: Database, table: str) -> int:
    with database.connection() as connection:
        row = connection.execute(f"select count(*) from {table}").fetchone()
    assert row
    return int(row[0])


def test_the_first_model_is_asked_at_once(database: Database) -> None:
    keep(database, video(1), "Honey.")
    assert reason_to_keep_up(database, OLD.model) is None
    assert keep_up(database, OLD.model, print) is None
    pipeline.embed(database, video(1).key, OLD, log=print)
    assert asked(database) == OLD.model
    assert reason_to_keep_up(database, OLD.model) is None
    assert reason_to_keep_up(database, NEW.model) == "another model is wanted"


def test_a_new_model_is_filled_in_from_the_stored_passages_and_takes_over(ingested: Database) -> None:
    with ingested.connection() as connection:
        connection.execute("delete from segments")  # what a new model needs are the passages
    assert len(to_do(ingested, NEW.model)) == VIDEOS + 1
    lines: list[str] = []
    assert reembed(ingested, NEW, lines.append) == VIDEOS
    assert [line.split(",")[0] for line in lines] == [f"{done} of {VIDEOS} passages" for done in (16, 32, 40)]
    assert to_do(ingested, NEW.model) == []
    assert asked(ingested) == OLD.model
    upkeep = keep_up(ingested, NEW.model, lines.append)
    assert upkeep
    assert (upkeep.active.name, upkeep.uncovered, upkeep.recall) == (NEW.model, 0, 1.0)
    assert asked(ingested) == NEW.model
    assert reembed(ingested, NEW, print) == 0


def test_a_search_asks_the_old_model_until_the_new_one_covers_all(ingested: Database) -> None:
    with pytest.raises(KeyboardInterrupt):
        reembed(ingested, Interrupted(NEW.model, after=20), print)
    upkeep = keep_up(ingested, NEW.model, print)
    assert upkeep
    assert (upkeep.active.name, upkeep.uncovered) == (OLD.model, VIDEOS - 16)
    assert len(find_moments(ingested, NEW, "honey number 3.", 100)) == VIDEOS


def test_what_was_interrupted_goes_on_where_it_was(ingested: Database) -> None:
    done = 0
    for after in (0, 16, 20, 1000):
        embedder = Interrupted(NEW.model, after - done)
        if after == 1000:
            reembed(ingested, embedder, print)
        else:
            with pytest.raises(KeyboardInterrupt):
                reembed(ingested, embedder, print)
        done += len(embedder.embedded)
        keep_up(ingested, NEW.model, print)
    assert done == VIDEOS
    assert asked(ingested) == NEW.model


def test_a_process_killed_while_it_writes_leaves_whole_videos_and_the_next_goes_on(ingested: Database) -> None:
    whole = 0
    for after in (1, 6, 20):
        process = multiprocessing.get_context("spawn").Process(target=reembed_until_killed, args=(ingested, after))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        whole += after - 1
        assert len(to_do(ingested, NEW.model)) == VIDEOS + 1 - whole
    assert reembed(ingested, NEW, print) == VIDEOS - whole
    assert to_do(ingested, NEW.model) == []


def test_a_video_that_comes_in_meanwhile_is_found_at_once_and_after_the_switch(ingested: Database) -> None:
    keep(ingested, video(100), "A train to the sea.")
    pipeline.embed_for_search(ingested, video(100).key, NEW, log=print)
    assert asked(ingested) == OLD.model
    assert find_moments(ingested, NEW, "a train to the sea.", 1)[0].video.key == video(100).key
    reembed(ingested, NEW, print)
    keep_up(ingested, NEW.model, print)
    assert asked(ingested) == NEW.model
    assert find_moments(ingested, NEW, "a train to the sea.", 1)[0].video.key == video(100).key


def test_a_video_that_only_the_old_model_has_keeps_the_new_one_from_its_turn(ingested: Database) -> None:
    reembed(ingested, NEW, print)
    keep(ingested, video(100), "A train to the sea.")
    pipeline.embed(ingested, video(100).key, OLD, log=print)
    upkeep = keep_up(ingested, NEW.model, print)
    assert upkeep
    assert (upkeep.active.name, upkeep.uncovered) == (OLD.model, 1)


def test_a_passage_that_changes_while_it_is_embedded_is_lacking_still(ingested: Database) -> None:
    reembed(ingested, Overtaken(ingested, by=OLD), print)
    assert to_do(ingested, NEW.model) == [video(0).key]
    assert reembed(ingested, NEW, print) == 1
    assert to_do(ingested, NEW.model) == []


def test_what_a_run_embeds_meanwhile_by_the_new_model_stands(ingested: Database) -> None:
    reembed(ingested, Overtaken(ingested, by=NEW), print)
    with ingested.connection() as connection:
        assert embeddings.videos_lacking(connection, model_named(connection, NEW.model)) == {}
    assert to_do(ingested, NEW.model) == []


def test_a_switch_is_seen_whole_and_lets_nobody_write_in_between(ingested: Database) -> None:
    reembed(ingested, NEW, print)
    keep(ingested, video(100), "A train to the sea.")
    late = threading.Thread(target=pipeline.embed, args=(ingested, video(100).key, OLD), kwargs={"log": print})
    with ingested.connection() as connection:
        old, new = all_models(connection)
        assert switch(connection, old, new)
        assert asked(ingested) == OLD.model
        late.start()
        wait_for_a_waiting_lock(ingested, "relation")
    late.join()
    assert asked(ingested) == NEW.model
    with ingested.connection() as connection:
        assert uncovered(connection, old, new) == 1


def test_a_model_whose_index_finds_badly_is_not_asked(database: Database) -> None:
    old, new = (have_passages(database, name, videos=30, dimensions=256) for name in ("old", "new"))
    have_bad_index(database, new)
    lines: list[str] = []
    upkeep = keep_up(database, new.name, lines.append, exact_under=10_000)
    assert upkeep
    assert upkeep.active.id == old.id
    assert [line for line in lines if f"under {LEAST_RECALL}" in line and "searches go on with old" in line]
    keep_up(database, new.name, lines.append, exact_under=10_000)
    assert asked(database) == new.name


def test_the_index_of_the_new_model_is_there_before_the_switch(database: Database) -> None:
    have_passages(database, "old", videos=5)
    new = have_passages(database, "new", videos=5)
    lines: list[str] = []
    upkeep = keep_up(database, "new", lines.append, exact_under=1)
    assert upkeep
    assert (upkeep.active.name, bool(upkeep.index.size)) == ("new", True)
    assert [line.split()[0] for line in lines] == ["builds", "built", "searches"]
    assert upkeep.described()["index"] == "HNSW"
    assert drop_others(database, lines.append) == ["old"]
    with database.connection() as connection:
        assert indexes.index_of(connection, new).size == upkeep.index.size


def test_old_models_are_dropped_with_vectors_and_index(ingested: Database) -> None:
    keep_up(ingested, OLD.model, print, exact_under=1)
    reembed(ingested, NEW, print)
    assert drop_others(ingested, print) == [NEW.model]
    assert asked(ingested) == OLD.model
    reembed(ingested, NEW, print)
    keep_up(ingested, NEW.model, print)
    assert drop_others(ingested, print) == [OLD.model]
    assert (count(ingested, "embeddings"), count(ingested, "embedded_videos")) == (VIDEOS, VIDEOS + 1)
    with ingested.connection() as connection:
        assert connection.execute("select to_regclass('embeddings_hnsw_1')").fetchone() == (None,)
    assert len(find_moments(ingested, NEW, "honey", 100)) == VIDEOS
