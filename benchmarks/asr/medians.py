"""What several runs of an arm on a workload come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from .arms import ARMS
from .results import Results, Row
from .workloads import SCALES, WORKLOADS


@dataclass(frozen=True)
class Figures:
    """One arm on one workload; times are wall times (s), memory is in bytes, shares are 0 to 1."""

    workload: str
    arm: str
    runs: int
    audio_s: float
    median_s: float
    fastest_s: float
    slowest_s: float
    busy: list[float]
    memory: int
    windows: int
    tokens: int
    wer: float | None
    gpu_busy: float | None

    @property
    def rtfx(self) -> float:
        """Seconds of audio for each second of time."""
        return self.audio_s / self.median_s

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest and the fastest run as seconds of audio for each second of time."""
        return self.audio_s / self.slowest_s, self.audio_s / self.fastest_s


def figures_of(rows: Sequence[Row]) -> list[Figures]:
    """Return the figures of a table in the order in which it shows them."""
    cells = [(name, arm, [row for row in rows if (row["workload"], row["arm"]) == (name, arm)])
             for name in WORKLOADS for arm in ARMS]  # fmt: skip
    return [_figures(name, arm, cell) for name, arm, cell in cells if cell]


def times_faster(figures: Sequence[Figures], workload: str, arm: str, other: str) -> float | None:
    """Return how many times as fast an arm is as another, None where one was not measured."""
    times = {one.arm: one.median_s for one in figures if one.workload == workload}
    return times[other] / times[arm] if {arm, other} <= times.keys() else None


def closing_line(results: Results) -> str:
    """Return the engine's speed in units of the batched pipeline's, and its peak memory: base, beam 1.

    Each workload counts at the largest size at which it was measured.
    """
    ours = [(kind, figures_of(rows)) for kind, rows in results.tables() if (kind["model"], kind["beam"]) == ("base", 1)]
    ratios: dict[str, str] = {}
    for _, figures in sorted(ours, key=lambda table: SCALES[table[0]["scale"]].long_s):
        for name in WORKLOADS:
            if ratio := times_faster(figures, name, "d", "b"):
                ratios[name] = f"{ratio:.2f}"
    memory = max((one.memory for _, figures in ours for one in figures if one.arm == "d"), default=None)
    if memory is None:
        return "bench-asr: base was not measured"
    parts = [f"{name}={ratios.get(name, '-')}" for name in ("short", "long", "mix")]
    return f"bench-asr: {' '.join(parts)} memory_mb={memory / 1e6:.0f}"


def _figures(workload: str, arm: str, rows: Sequence[Row]) -> Figures:
    times = [row["wall_s"] for row in rows]
    return Figures(
        workload,
        arm,
        len(rows),
        rows[0]["audio_s"],
        median(times),
        min(times),
        max(times),
        [fmean(shares) for shares in zip(*(row["busy"] for row in rows), strict=True)],
        max(row["memory"] for row in rows),
        rows[0]["windows"],
        rows[0]["tokens"],
        _median_of(rows, "wer"),
        _median_of(rows, "gpu_busy"),
    )


def _median_of(rows: Sequence[Row], name: str) -> float | None:
    values: list[float] = [row[name] for row in rows if name in row]
    return median(values) if values else None
