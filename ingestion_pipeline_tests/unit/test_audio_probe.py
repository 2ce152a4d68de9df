"""The probe on real files: good ones, and what comes in the place of audio."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from ingestion_pipeline.audio import probe, unchanged
from ingestion_pipeline.audio.files import describe
from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.errors import Permanent

OPUS = EPISODES[0]
RATE = 16_000


def write_tone(path: Path, codec: str, container: str, seconds: float = 1.5) -> None:
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=RATE)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        tone = (np.sin(np.arange(int(seconds * RATE)) / 8) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)


def test_an_episode_is_described() -> None:
    found = probe(OPUS)
    assert (found.codec, found.container, found.extension) == ("opus", "ogg", "opus")
    assert (found.sample_rate, found.channels) == (48_000, 1)
    assert 40 < found.duration_s < 60


@pytest.mark.parametrize(
    ("codec", "container", "extension"),
    [
        ("pcm_s16le", "wav", "wav"),
        ("flac", "flac", "flac"),
        ("aac", "adts", "aac"),
        ("aac", "mp4", "m4a"),
        ("pcm_s16le", "matroska", "mka"),
        ("aac", "mpegts", "ts"),
        ("mp2", "mp2", "mp3"),
    ],
)
def test_duration_and_extension_of_other_containers(tmp_path: Path, codec: str, container: str, extension: str) -> None:
    path = tmp_path / "file"
    write_tone(path, codec, container)
    found = probe(path)
    assert found.extension == extension
    assert found.duration_s == pytest.approx(1.5, abs=0.2)
    assert (found.sample_rate, found.channels) == (RATE, 1)


def test_a_file_without_a_stated_length_is_measured_by_its_packets(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as unseekable:
        pipe = _Unseekable(unseekable.write)
        with av.open(pipe, "w", format="matroska") as output:
            stream = output.add_stream("libopus", rate=RATE)
            assert isinstance(stream, av.AudioStream)
            stream.layout = "mono"
            for second in range(3):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, RATE), np.int16), format="s16", layout="mono")
                frame.sample_rate, frame.pts = RATE, second * RATE
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert container.duration is None
        assert container.streams.audio[0].duration is None
    assert probe(path).duration_s == pytest.approx(3, abs=0.1)


class _Unseekable:
    def __init__(self, write: Callable[[bytes], int]) -> None:
        self.write = write


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "is an HTML page"),
        (b"\n <HTML lang=en>" + b"x" * 5000, "is an HTML page"),
        (b"the episode is gone\n" * 50, "is text"),
        (bytes(range(256)) * 40, "is damaged"),
        (OPUS.read_bytes()[:60], "is damaged"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n", "is"),
        (b"[00:01.00]one\n[00:02.00]two\n", "has no audio track"),
    ],
)
def test_what_is_not_audio_is_called_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(Permanent, match=words):
        probe(path)


def test_a_playlist_cannot_make_the_decoder_read_other_files(tmp_path: Path) -> None:
    write_tone(tmp_path / "secret.ts", "aac", "mpegts")
    path = tmp_path / "file.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(Permanent, match=r"is (a playlist|text)"):
        probe(path)


def test_a_file_is_unchanged_until_it_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    path.write_bytes(OPUS.read_bytes())
    audio = describe(path, probe(path))
    assert unchanged(audio)
    assert unchanged(audio, in_place=True)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert unchanged(audio)
    assert not unchanged(audio, in_place=True)
    path.write_bytes(b"short")
    assert not unchanged(audio)
    path.unlink()
    assert not unchanged(audio)
