"""What NVML says of a GPU while something runs on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean

_EVERY_S = 0.1


@dataclass
class Sampled:
    """Readings so far: percent of the time in which some kernel ran, bytes in use on the card."""

    busy: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Return the mean share of time (0 to 1) and the most memory (bytes); nothing without a reading."""
        return {"gpu_busy": fmean(self.busy) / 100, "gpu_memory": max(self.memory)} if self.busy else {}


@contextmanager
def sampled(device: str) -> Iterator[Sampled]:
    """Read the first GPU ten times a second while the block runs; nothing is read on a CPU."""
    readings, done = Sampled(), threading.Event()
    thread = threading.Thread(target=_read, args=(readings, done))
    if device == "cuda":
        thread.start()
    try:
        yield readings
    finally:
        done.set()
        if device == "cuda":
            thread.join()


def _read(readings: Sampled, done: threading.Event) -> None:
    import pynvml

    pynvml.nvmlInit()
    card = pynvml.nvmlDeviceGetHandleByIndex(0)
    while not done.wait(_EVERY_S):
        readings.busy.append(pynvml.nvmlDeviceGetUtilizationRates(card).gpu)
        readings.memory.append(pynvml.nvmlDeviceGetMemoryInfo(card).used)
    pynvml.nvmlShutdown()
