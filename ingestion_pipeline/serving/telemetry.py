"""What the card and this process do, each second: NVIDIA's library where there is a GPU, psutil for the process."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

import psutil
import pynvml

_EVERY_S = 1.0
_KEPT = 12 * 3600
"""Samples: half a day, longer than any video takes."""


@dataclass(frozen=True)
class Gpu:
    """`sm` is the share (0 to 1) of the last moment in which a kernel ran; power (W) is None where it is not told."""

    name: str
    sm: float
    memory_bytes: int
    memory_total_bytes: int
    power_w: float | None


@dataclass(frozen=True)
class Sample:
    """One look: cores kept busy by this process, its resident memory, and the GPU, if there is one."""

    at: float
    cpu_cores: float
    memory_bytes: int
    gpu: Gpu | None

    def __str__(self) -> str:
        if self.gpu is None:
            return f"{self.cpu_cores:.1f} cores busy, {self.memory_bytes / 1e9:.1f} GB"
        power = f", {self.gpu.power_w:.0f} W" if self.gpu.power_w is not None else ""
        vram = self.gpu.memory_bytes / self.gpu.memory_total_bytes
        return f"{self.gpu.name}: SM {self.gpu.sm:.0%}, VRAM {vram:.0%} ({self.gpu.memory_bytes / 1e9:.1f} GB){power}"


class Telemetry:
    """Looks each second, in a thread of its own, until it is closed."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._card = _card()
        self._samples: deque[Sample] = deque([self._look()], maxlen=_KEPT)
        self._ended = Event()
        self._thread = Thread(target=self._watch, name="telemetry", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    @property
    def latest(self) -> Sample:
        """The last look."""
        return self._samples[-1]

    def since(self, began: float) -> dict[str, float]:
        """Return means and peaks since a moment (`time.monotonic()`), by the names that they have in the UI."""
        samples = [sample for sample in tuple(self._samples) if sample.at >= began] or [self._look()]
        figures = {
            "cpu_mean_cores": _mean([sample.cpu_cores for sample in samples]),
            "memory_peak_mb": max(sample.memory_bytes for sample in samples) / 1e6,
        }
        gpus = [sample.gpu for sample in samples if sample.gpu]
        if gpus:
            figures["gpu_mean_sm_percent"] = 100 * _mean([gpu.sm for gpu in gpus])
            figures["gpu_peak_memory_mb"] = max(gpu.memory_bytes for gpu in gpus) / 1e6
        powers = [gpu.power_w for gpu in gpus if gpu.power_w is not None]
        if powers:
            figures["gpu_mean_watts"] = _mean(powers)
        return figures

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._samples.append(self._look())

    def _look(self) -> Sample:
        cores = self._process.cpu_percent() / 100
        return Sample(monotonic(), cores, self._process.memory_info().rss, _gpu(self._card))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _card() -> object | None:
    """Return NVML's handle of the first GPU; None where there is no GPU, or no driver."""
    try:
        pynvml.nvmlInit()
        card: object = pynvml.nvmlDeviceGetHandleByIndex(0)
    except pynvml.NVMLError:
        return None
    return card


def _gpu(card: object | None) -> Gpu | None:
    if card is None:
        return None
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(card)
        sm = pynvml.nvmlDeviceGetUtilizationRates(card).gpu / 100
        return Gpu(pynvml.nvmlDeviceGetName(card), sm, int(memory.used), int(memory.total), _power(card))
    except pynvml.NVMLError:
        return None


def _power(card: object) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetPowerUsage(card)) / 1000
    except pynvml.NVMLError:
        return None
