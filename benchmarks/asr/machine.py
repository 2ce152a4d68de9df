"""What a measurement was made on: processor, memory, versions, and how much others used the processor meanwhile."""

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import joblib

from . import ROOT

_LIBRARIES = ("faster-whisper", "ctranslate2", "onnxruntime", "av", "numpy")


def described(device: str) -> dict[str, str]:
    """Return what must be the same for two measurements to be comparable; raise `NoGpu`."""
    return {
        **computer(),
        **({"gpu": _gpu_name()} if device == "cuda" else {}),
        **{library: version(library) for library in _LIBRARIES},
        "engine": source_hash("speech"),
    }


def computer() -> dict[str, str]:
    """Return processor, cores, memory and system."""
    return {
        "cpu": _cpu_name(),
        "cores": str(joblib.cpu_count()),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def source_hash(package: str) -> str:
    """Return a short hash of a package's source, so that results of two versions are never mixed."""
    files = sorted((ROOT / "ingestion_pipeline" / package).glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


class NoGpu(RuntimeError):
    """A GPU is asked for and not there."""


@contextmanager
def others() -> Iterator[list[float]]:
    """Give a list that holds, after the block, how many cores everybody but this process kept busy."""
    found: list[float] = []
    start, all_s, own_s = perf_counter(), _busy_s(), sum(os.times()[:4])
    yield found
    spent = (_busy_s() - all_s) - (sum(os.times()[:4]) - own_s)
    found.append(max(0.0, spent / (perf_counter() - start)))


def _busy_s() -> float:
    """Return the seconds that all cores together worked since the machine started, for whomever (Linux)."""
    user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    # Steal, the last, is what other virtual machines took.
    return sum(map(int, (user, nice, system, *interrupts))) / os.sysconf("SC_CLK_TCK")


def _cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _gpu_name() -> str:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise NoGpu(f"there is no NVIDIA GPU here: {error}") from error
    name = str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0)))
    driver = str(pynvml.nvmlSystemGetDriverVersion())
    pynvml.nvmlShutdown()
    return f"{name}, driver {driver}"
