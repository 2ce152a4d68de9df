"""The engine with demo-en: the same text however the work is shared out, and what it does with bad speech."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jiwer
import numpy as np
import pytest
from faster_whisper import WhisperModel
from threadpoolctl import threadpool_info

from demo_model import measures
from demo_model.figures import HELDOUT
from demo_model.sentences import words_of
from ingestion_pipeline.demo import EPISODES, MODEL
from ingestion_pipeline.records import Segment
from ingestion_pipeline.speech.decoding import Decoding
from ingestion_pipeline.speech.engine import Engine, Recognised
from ingestion_pipeline.speech.scheduler import Cancelled, Job
from ingestion_pipeline.speech.waveform import RATE, Undecodable
from ingestion_pipeline_tests.support.recordings import Samples, episode, write_audio

ENGLISH = Decoding("en")


@pytest.fixture(scope="module")
def model() -> WhisperModel:
    return WhisperModel(str(MODEL), device="cpu", compute_type="int8", cpu_threads=1, num_workers=2)


@pytest.fixture(scope="module")
def heldout(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, measures.Clip]]:
    """Give the held-out sentences as files of several sentences each."""
    folder = tmp_path_factory.mktemp("heldout")
    windows = measures.windows(measures.read_clip(HELDOUT))
    return [
        (write_audio(folder / f"{number}.flac", clip.samples, codec="flac"), clip)
        for number, clip in enumerate(windows)
    ]


@pytest.fixture(scope="module")
def files(heldout: list[tuple[Path, measures.Clip]]) -> list[Path]:
    return [*EPISODES, *(path for path, _ in heldout)][:12]


@pytest.fixture(scope="module")
def alone(model: WhisperModel, files: list[Path]) -> list[Sequence[Segment]]:
    return [transcribe(model, path).segments for path in files]


def transcribe(model: WhisperModel, path: Path, decoding: Decoding = ENGLISH) -> Recognised:
    with Engine(model, workers=1, videos=1, batch=1) as engine:
        return engine.transcribe(path, decoding, lambda _: None)


@pytest.mark.parametrize(("workers", "batch"), [(1, 1), (2, 1), (1, 4), (2, 4), (1, 8), (2, 8)])
def test_all_files_together_give_what_each_gives_alone(
    model: WhisperModel, files: list[Path], alone: list[Sequence[Segment]], workers: int, batch: int
) -> None:
    with Engine(model, workers=workers, videos=3, batch=batch) as engine, ThreadPoolExecutor(12) as threads:
        together = list(threads.map(lambda path: engine.transcribe(path, ENGLISH, lambda _: None).segments, files))
    assert len(files) == 12
    assert together == alone
    assert all(found > 0 for found in engine.busy_s)


@pytest.mark.slow
def test_no_more_words_are_wrong_than_through_faster_whisper(
    model: WhisperModel, heldout: list[tuple[Path, measures.Clip]]
) -> None:
    """Over windows that fit the model, one recording of eleven minutes, and the episodes."""
    recordings = [*heldout, *((path, measures.read_clip(path)) for path in [HELDOUT, *EPISODES])]
    said = [" ".join(words_of(clip.text)) for _, clip in recordings]
    ours = [" ".join(words_of(text_of(transcribe(model, path)))) for path, _ in recordings]
    theirs = measures.word_error_rate(model, [clip for _, clip in recordings], measures.Mode(batched=False, times=True))
    assert jiwer.wer(said, ours) <= theirs


def text_of(found: Recognised) -> str:
    return " ".join(segment.text for segment in found.segments)


def test_segments_are_sentences_with_their_times(model: WhisperModel) -> None:
    clip = measures.read_clip(EPISODES[0])
    found = transcribe(model, EPISODES[0])
    assert [segment.text for segment in found.segments] == [sentence.text for sentence in clip.sentences]
    errors = [
        max(abs(segment.start - sentence.start), abs(segment.end - sentence.end))
        for segment, sentence in zip(found.segments, clip.sentences, strict=True)
    ]
    assert np.quantile(errors, 0.9) < 0.5
    assert (found.chunks, found.decoded_again, found.left_out_s) == (2, 0, 0.0)


def test_words_have_times_when_asked_for(model: WhisperModel) -> None:
    found = transcribe(model, EPISODES[0], Decoding("en", words=True))
    for segment in found.segments:
        assert " ".join(word.text for word in segment.words) == segment.text
        assert segment.start == segment.words[0].start <= segment.words[-1].end == segment.end
        assert all(0 < word.probability <= 1 for word in segment.words)


def test_times_are_those_of_the_audio_after_a_long_silence(tmp_path: Path) -> None:
    model = WhisperModel(str(MODEL), device="cpu", compute_type=measures.COMPUTE)
    sound = episode()[: 12 * RATE]
    late = write_audio(tmp_path / "late.flac", np.concatenate([np.zeros(100 * RATE, np.float32), sound]), codec="flac")
    early = write_audio(tmp_path / "early.flac", sound, codec="flac")
    for one, other in zip(transcribe(model, late).segments, transcribe(model, early).segments, strict=True):
        assert one.text == other.text
        assert one.start == pytest.approx(other.start + 100, abs=0.3)
        assert one.end == pytest.approx(other.end + 100, abs=0.3)


def test_each_segment_is_told_as_it_is_heard(model: WhisperModel) -> None:
    told: list[Segment] = []
    with Engine(model, workers=1, videos=1) as engine:
        found = engine.transcribe(EPISODES[0], ENGLISH, told.append)
    assert told == list(found.segments)
    assert found.duration_s - 2 < told[-1].end <= found.duration_s + 0.04


def noise() -> Samples:
    return 0.1 * np.random.default_rng(0).standard_normal(20 * RATE, np.float32)


@pytest.mark.parametrize("sound", [np.zeros(20 * RATE, np.float32), noise()], ids=["silence", "noise"])
def test_nobody_speaking_gives_no_text(model: WhisperModel, tmp_path: Path, sound: Samples) -> None:
    found = transcribe(model, write_audio(tmp_path / "sound.flac", sound, codec="flac"))
    assert found.segments == []
    assert found.left_out_s == 0.0
    assert found.duration_s == pytest.approx(20, abs=0.01)


def test_what_fails_twice_is_left_out_and_counted(model: WhisperModel, tmp_path: Path) -> None:
    """One sentence over and over is what a loop looks like; Whisper's limits cannot tell them apart."""
    loop = np.tile(episode()[round(0.2 * RATE) : round(2.7 * RATE)], 12)
    path = write_audio(tmp_path / "loop.flac", np.concatenate([episode()[: 25 * RATE], loop]), codec="flac")
    found = transcribe(model, path)
    assert found.decoded_again > 0
    assert 0 < found.left_out_s < found.speech_s
    kept = transcribe(model, path, Decoding("en", gated=False))
    assert (kept.decoded_again, kept.left_out_s) == (0, 0.0)
    assert len(text_of(kept)) > len(text_of(found)) > 0


def test_a_file_that_cannot_be_decoded_does_not_disturb_the_others(
    model: WhisperModel, files: list[Path], alone: list[Sequence[Segment]], tmp_path: Path
) -> None:
    (tmp_path / "page.mp3").write_text("<!DOCTYPE html>")
    with Engine(model, workers=2, videos=2, batch=4) as engine, ThreadPoolExecutor(4) as threads:
        given = [files[0], tmp_path / "page.mp3", files[1]]
        results = [threads.submit(engine.transcribe, path, ENGLISH, lambda _: None) for path in given]
        assert isinstance(results[1].exception(), Undecodable)
        assert [results[0].result().segments, results[2].result().segments] == alone[:2]


def test_a_caller_that_gives_up_leaves_the_engine_to_the_others(
    model: WhisperModel, files: list[Path], alone: list[Sequence[Segment]]
) -> None:
    def give_up(_: Segment) -> None:
        raise InterruptedError

    with Engine(model, workers=1, videos=1) as engine:
        with pytest.raises(InterruptedError):
            engine.transcribe(files[0], ENGLISH, give_up)
        assert engine.transcribe(files[1], ENGLISH, lambda _: None).segments == alone[1]


def test_a_cancelled_video_ends_whether_it_waits_or_is_heard(
    model: WhisperModel, files: list[Path], alone: list[Sequence[Segment]]
) -> None:
    heard, waiting = Job(), Job()
    with Engine(model, workers=1, videos=1, batch=1) as engine, ThreadPoolExecutor(1) as threads:
        with engine.admitted(heard):
            behind = threads.submit(lambda: engine.admitted(waiting).__enter__())
            engine.cancel(waiting)
            with pytest.raises(Cancelled):
                behind.result(30)
            engine.cancel(heard)
            with pytest.raises(Cancelled):
                engine.listen(heard, files[0], ENGLISH, lambda _: None)
        assert engine.transcribe(files[1], ENGLISH, lambda _: None).segments == alone[1]


class Weak:
    """A model on a card with room for `most` chunks at once; it waits for five to be prepared before it begins.

    Everything else is the real one's.
    """

    def __init__(self, model: WhisperModel, most: int) -> None:
        self._whisper, self._extractor, self.most = model.model, model.feature_extractor, most
        self._prepared, self._enough = 0, threading.Event()
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._whisper, name)

    def extractor(self, samples: Samples) -> Samples:
        self._prepared += 1
        if self._prepared == 5:
            self._enough.set()
        return self._extractor(samples)

    def generate(self, encoded: object, prompts: list[list[int]], **options: object) -> list:
        self.batches.append(len(prompts))
        if len(prompts) > self.most:
            raise RuntimeError("CUDA failed with error out of memory")
        assert self._enough.wait(60)
        return self._whisper.generate(encoded, prompts, **options)


@pytest.fixture
def weak() -> tuple[WhisperModel, Weak]:
    model = WhisperModel(str(MODEL), device="cpu", compute_type="int8", cpu_threads=1)
    card = Weak(model, 2)
    model.model, model.feature_extractor = card, card.extractor
    return model, card


def test_out_of_memory_halves_the_batch_and_goes_on(
    weak: tuple[WhisperModel, Weak], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, card = weak
    path = write_audio(tmp_path / "long.flac", np.concatenate([episode(number) for number in range(6)]), codec="flac")
    with Engine(model, workers=1, videos=1, batch=8) as engine:
        found = engine.transcribe(path, ENGLISH, lambda _: None)
    assert found.segments
    # Halves of halves fail as well; after that none is too large.
    assert 1 <= sum(size > 2 for size in card.batches) <= 3
    assert "out of memory" in caplog.text


def test_a_card_without_room_for_one_chunk_is_an_error(weak: tuple[WhisperModel, Weak]) -> None:
    model, card = weak
    card.most = 0
    with Engine(model, workers=1, videos=1) as engine, pytest.raises(RuntimeError, match="out of memory"):
        engine.transcribe(EPISODES[0], ENGLISH, lambda _: None)


def test_numeric_libraries_leave_the_cores_to_decoding(model: WhisperModel) -> None:
    def threads() -> list[int]:
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    before = threads()
    with Engine(model, workers=1, videos=1):
        assert set(threads()) == {1}
    assert threads() == before
