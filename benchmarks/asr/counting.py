"""What passes through a model, counted the same way for everybody who uses it."""

import threading
from collections import defaultdict
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from ctranslate2.models import Whisper
    from faster_whisper import WhisperModel

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Tally:
    """Windows decoded, tokens written, and how long each thread was inside the model."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.windows = self.tokens = 0
        self._seconds: defaultdict[int, float] = defaultdict(float)

    def worked_s(self, workers: int) -> list[float]:
        """Return the seconds of each of `workers` threads."""
        seconds = list(self._seconds.values())
        return seconds + [0.0] * (workers - len(seconds))

    def timed(self, call: Callable[_P, _R]) -> Callable[_P, _R]:
        """Return a function that does the same and is counted; lists that it returns are decoded windows."""

        def timed_call(*args: _P.args, **options: _P.kwargs) -> _R:
            start = perf_counter()
            result = call(*args, **options)
            self._add(perf_counter() - start, result if isinstance(result, list) else [])
            return result

        return timed_call

    def _add(self, seconds: float, decoded: list[Any]) -> None:
        with self._lock:
            self._seconds[threading.get_ident()] += seconds
            self.windows += len(decoded)
            self.tokens += sum(len(window.sequences_ids[0]) for window in decoded)


class Counted:
    """A CTranslate2 Whisper whose calls are counted; everything else is its own."""

    def __init__(self, whisper: "Whisper", tally: Tally) -> None:
        self._whisper = whisper
        self.encode, self.generate = tally.timed(whisper.encode), tally.timed(whisper.generate)

    def __getattr__(self, name: str) -> object:
        return getattr(self._whisper, name)


def counted(model: "WhisperModel", tally: Tally) -> "WhisperModel":
    """Return the model, its calls counted from now on."""
    model.model = Counted(model.model, tally)
    return model
