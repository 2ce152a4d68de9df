"""The results as a page of Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .arms import ARMS, NAMES
from .medians import Figures, figures_of, times_faster
from .results import Results, Row
from .setup import TOKENS
from .workloads import SCALES, WORKLOADS

_HEAD = (
    "workload", "arm", "runs", "time (s)", "fastest to slowest", "RTFx", "to b", "workers busy", "peak MB", "windows",
    "tokens", "words wrong",
)  # fmt: skip


def page(results: Results, plot: str) -> str:
    """Return the whole page; `plot` is the name of the picture's file beside it."""
    return "\n".join(_lines(results, plot)) + "\n"


def _lines(results: Results, plot: str) -> Iterator[str]:
    yield "# Speech recognition, four ways"
    yield ""
    yield f"Begun {results.date}. What is not in a table was not measured; `benchmarks/README.md` explains the columns."
    yield ""
    yield from (f"- {name}: {value}" for name, value in results.machine.items())
    yield f"- others kept busy: at most {max(row['others'] for row in results.rows):.2f} cores during a measurement"
    yield ""
    yield f"![Speed of each arm]({plot})"
    for kind, rows in results.tables():
        yield ""
        yield from _table(kind, rows)


def _table(kind: Mapping[str, Any], rows: Sequence[Row]) -> Iterator[str]:
    figures = figures_of(rows)
    yield f"## {title(kind)}"
    yield ""
    yield _setting(kind, figures)
    yield ""
    yield _row(_HEAD)
    yield _row(["---"] * len(_HEAD))
    yield from (_row(_cells(one, times_faster(figures, one.workload, one.arm, "b"))) for one in figures)
    yield ""
    yield from _verdicts(figures)


def title(kind: Mapping[str, Any]) -> str:
    """Return what tells a table from the others, in a line."""
    batch = f", batch {kind['batch']}" if kind["device"] == "cuda" else ""
    return f"{kind['model']}, {kind['compute']} on {kind['device']}, beam {kind['beam']}{batch}, {kind['scale']} size"


def _setting(kind: Mapping[str, Any], figures: Sequence[Figures]) -> str:
    scale = SCALES[kind["scale"]]
    sizes = {
        "long": f"`long` is one file of {scale.long_s / 60:g} min",
        "short": f"`short` {scale.short_files} files of 20 to 60 s",
        "mix": f"`mix` one of {scale.mix_long_s / 60:g} min and short ones of together {scale.mix_short_s / 60:g} min",
    }
    measured = {one.workload for one in figures}
    decoded = "real decoding, all gates on" if kind["model"] == "demo-en" else f"{TOKENS} tokens a window, gates off"
    return (
        f"{kind['cores']} cores, {kind['workers']} decode workers and batch {kind['batch']} in d, batch "
        f"{kind['pipeline_batch']} in b. {'; '.join(sizes[name] for name in WORKLOADS if name in measured)}. "
        f"{decoded[0].upper()}{decoded[1:]}."
    )


def _cells(one: Figures, to_batched: float | None) -> Iterator[str]:
    yield one.workload
    yield f"{one.arm} {NAMES[one.arm]}"
    yield str(one.runs)
    yield f"{one.median_s:.1f}"
    yield f"{one.fastest_s:.1f} to {one.slowest_s:.1f}"
    yield f"{one.rtfx:.1f}"
    yield f"{to_batched:.2f}" if to_batched else "-"
    yield ", ".join(f"{share:.0%}" for share in one.busy) + (f"; GPU {one.gpu_busy:.0%}" if one.gpu_busy else "")
    yield f"{one.memory / 1e6:.0f}"
    yield str(one.windows)
    yield str(one.tokens)
    yield "-" if one.wer is None else f"{one.wer:.2%}"


def _verdicts(figures: Sequence[Figures]) -> Iterator[str]:
    """Yield how this engine does against the batched pipeline, and against whichever other arm is the fastest."""
    for workload in WORKLOADS:
        others = [(ratio, arm) for arm in ARMS if arm != "d" and (ratio := times_faster(figures, workload, "d", arm))]
        if others:
            ratio, best = min(others)
            to_batched = next((f"{ratio:.2f} times as fast as b, " for ratio, arm in others if arm == "b"), "")
            yield f"- `{workload}`: d is {to_batched}{ratio:.2f} times as fast as the best other, {best}."


def _row(cells: Sequence[str] | Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"
