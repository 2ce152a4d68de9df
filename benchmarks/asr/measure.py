"""One measurement in a process of its own: a job as JSON on standard input, its figures on the last line of output.

A fresh process for each, since the memory that an arm once had stays with its process: so `VmHWM` is the peak of
this arm on this workload, and nothing idle takes memory or cores from it. Loading and a warm-up come before the clock.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from ingestion_pipeline.demo import EPISODES

from .arms import ARMS, Arm
from .counting import Tally
from .gpu import sampled
from .machine import others
from .setup import Setup


@dataclass(frozen=True)
class Job:
    """One arm and the files that it transcribes."""

    arm: str
    setup: Setup
    files: list[Path]

    def to_json(self) -> str:
        """Return what `from_json` reads."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """Return the job of a text."""
        job = json.loads(text)
        return cls(job["arm"], Setup(**job["setup"]), [Path(file) for file in job["files"]])


def measured(job: Job) -> dict[str, object]:
    """Return wall time (s), each worker's share of it, what was decoded, peak memory (bytes), and the texts.

    `others` is how many cores the rest of the machine kept busy meanwhile.
    """
    tally = Tally()
    with ARMS[job.arm](job.setup, tally) as arm:
        arm.texts(EPISODES[:1] * job.setup.workers)
        tally.clear()
        before = arm.busy_s()
        with sampled(job.setup.device) as readings, others() as busy_elsewhere:
            start = perf_counter()
            texts = arm.texts(job.files)
            wall_s = perf_counter() - start
        return {
            "wall_s": wall_s,
            "busy": _shares(arm, before, wall_s),
            "windows": tally.windows,
            "tokens": tally.tokens,
            "memory": peak_memory(),
            "others": busy_elsewhere[0],
            **readings.figures(),
            "texts": texts if job.setup.real else [],
        }


def peak_memory() -> int:
    """Return the most bytes that this process ever had in memory (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _shares(arm: Arm, before: list[float], wall_s: float) -> list[float]:
    return [(now - then) / wall_s for now, then in zip(arm.busy_s(), before, strict=True)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(Job.from_json(sys.stdin.read()))) + "\n")
