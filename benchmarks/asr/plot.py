"""The results as a picture: how many seconds of audio each arm takes in a second."""

from pathlib import Path
from typing import TYPE_CHECKING

from .arms import ARMS, NAMES
from .medians import Figures, figures_of
from .report import title
from .results import Results
from .workloads import WORKLOADS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"a": "#b8b8b8", "b": "#7a9cc6", "c": "#c9a66b", "d": "#b5483a"}
_WIDTH = 0.2
_COLUMNS = 2


def draw(results: Results, file: Path) -> None:
    """Write a PNG with a panel for each table."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    tables = [(title(kind), figures_of(rows)) for kind, rows in results.tables()]
    height = -(-len(tables) // _COLUMNS)
    figure, panels = pyplot.subplots(
        height, _COLUMNS, figsize=(12, 3.6 * height + 0.6), squeeze=False, layout="constrained"
    )
    for panel, (name, figures) in zip(panels.flat, tables, strict=False):
        _fill(panel, name, figures)
    for panel in list(panels.flat)[len(tables) :]:
        panel.set_axis_off()
    machine = results.machine
    figure.suptitle(
        f"{machine.get('gpu', machine['cpu'])}, {machine['cores']} cores; faster-whisper {machine['faster-whisper']}, "
        f"CTranslate2 {machine['ctranslate2']}; {results.date}",
        fontsize=9,
    )
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(ARMS), fontsize=8, frameon=False)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def _fill(panel: "Axes", name: str, figures: list[Figures]) -> None:
    shown = [workload for workload in WORKLOADS if any(one.workload == workload for one in figures)]
    for place, arm in enumerate(ARMS):
        bars = [one for one in figures if one.arm == arm]
        left = [shown.index(one.workload) + (place - 1.5) * _WIDTH for one in bars]
        panel.bar(left, [one.rtfx for one in bars], _WIDTH, color=_COLOURS[arm], label=f"{arm} {NAMES[arm]}")
        below = [one.rtfx - one.spread[0] for one in bars]
        above = [one.spread[1] - one.rtfx for one in bars]
        panel.errorbar(left, [one.rtfx for one in bars], [below, above], fmt="none", ecolor="black", lw=0.8)
    panel.set_xticks(range(len(shown)), shown)
    panel.set_title(name, fontsize=9)
    panel.set_ylabel("audio s per s: median,\nslowest to fastest run", fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)
