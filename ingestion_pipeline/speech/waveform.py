"""Audio files as 16 kHz mono samples, a window at a time: memory does not grow with the length of the file."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

Samples = NDArray[np.float32]
RATE = 16_000
"""Hz; what Whisper and Silero VAD were trained on."""
_GAP_S = 0.5
"""Less is how containers round and encoders begin, and shifts no moment by more than its sentence."""
_LONGEST_GAP_S = 600.0
"""More is another clock, as where two recordings were joined, and so is a step back."""


class Undecodable(ValueError):
    """Nothing of an audio file can be decoded."""


def windows_of(path: Path, seconds: float, start_s: float = 0.0) -> Iterator[Samples]:
    """Yield the first audio track from `start_s` on, `seconds` at a time, the last window shorter.

    Time begins where the file does: sound that begins after the picture has silence before it. What is damaged or
    missing is silence, as long as the timestamps say. Raises `Undecodable` where nothing can be
    decoded, `OSError` where the file cannot be read.
    """
    with _opened(path) as container:
        begins_s = None if start_s or container.start_time is None else container.start_time / av.time_base
        yield from _windows(_resampled(_frames(container, start_s), _Clock(begins_s)), round(seconds * RATE))


def duration_of(path: Path) -> float | None:
    """Return the duration (s) that a file says it has, None where it does not say; raises as `windows_of` does."""
    with _opened(path) as container:
        return container.duration / av.time_base if container.duration else None


@contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
    try:
        # Only files: a playlist under an audio name must not make FFmpeg fetch what it lists.
        with av.open(str(path), options={"protocol_whitelist": "file"}, metadata_errors="ignore") as container:
            yield container
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise Undecodable(error.strerror) from error


def _frames(container: av.container.InputContainer, start_s: float) -> Iterator[av.AudioFrame]:
    if not container.streams.audio:
        raise Undecodable("there is no audio track in it")
    stream = container.streams.audio[0]
    stream.codec_context.thread_count = 1
    if start_s:
        container.seek(int(start_s * av.time_base) + (container.start_time or 0))
    decoded = False
    for packet in _packets(container, stream):
        try:
            frames = [frame for frame in packet.decode() if isinstance(frame, av.AudioFrame)]
        except av.FFmpegError:
            continue
        decoded = decoded or bool(frames)
        yield from frames
    if not decoded:
        raise Undecodable("there is no sound in its audio track")


def _packets(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator["av.Packet[av.AudioStream]"]:
    """Yield packets up to the end, or to where a file that was cut off ends."""
    try:
        yield from container.demux(stream)
    except (av.InvalidDataError, av.EOFError):
        return


def _resampled(frames: Iterable[av.AudioFrame], clock: "_Clock") -> Iterator[Samples]:
    """Yield the samples of all frames; a format that changes on the way gets a new resampler."""
    resampler, shape = _Resampler(), None
    for frame in frames:
        if missing_s := clock.missing_before(frame):
            yield from resampler.held()
            yield from _silence(missing_s)
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if found != shape:
            yield from resampler.rest()
            resampler, shape = _Resampler(), found
        yield from resampler.add(frame)
    yield from resampler.rest()


class _Resampler:
    """Resamples a second at a time: frame by frame, most have 20 ms, it takes twice as long as the decoding."""

    def __init__(self) -> None:
        self._resampler, self._held = AudioResampler("flt", "mono", RATE), av.AudioFifo()

    def add(self, frame: av.AudioFrame) -> Iterator[Samples]:
        frame.pts = None
        self._held.write(frame)
        if self._held.samples >= frame.sample_rate:
            yield from self.held()

    def held(self) -> Iterator[Samples]:
        """Yield what was added and not yet resampled."""
        if frame := self._held.read():
            yield from self._samples(frame)

    def rest(self) -> Iterator[Samples]:
        """Yield all that is left; nothing can be added after it."""
        yield from self.held()
        yield from self._samples(None)

    def _samples(self, frame: av.AudioFrame | None) -> Iterator[Samples]:
        for resampled in self._resampler.resample(frame):
            yield resampled.to_ndarray()[0]


class _Clock:
    """Compares timestamps with what was heard: a moment keeps its time where packets before it are missing.

    Time begins at `begins_s` or, where that is not known, with the first frame.
    """

    def __init__(self, begins_s: float | None) -> None:
        self._expected_s = begins_s

    def missing_before(self, frame: av.AudioFrame) -> float:
        """Return how much (s) is missing before a frame."""
        expected_s = frame.time if self._expected_s is None else self._expected_s
        at_s = expected_s if frame.time is None else frame.time
        if at_s is None or expected_s is None:
            return 0.0
        missing_s = at_s - expected_s
        keeps_time = abs(missing_s) < _GAP_S
        self._expected_s = (expected_s if keeps_time else at_s) + frame.samples / frame.sample_rate
        return missing_s if _GAP_S <= missing_s <= _LONGEST_GAP_S else 0.0


def _silence(seconds: float) -> Iterator[Samples]:
    left = round(seconds * RATE)
    while left > 0:
        yield np.zeros(min(left, RATE), np.float32)
        left -= RATE


def _windows(parts: Iterable[Samples], length: int) -> Iterator[Samples]:
    held: list[Samples] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        while count >= length:
            joined = np.concatenate(held)
            yield joined[:length]
            held, count = [joined[length:]], count - length
    if count:
        yield np.concatenate(held)
