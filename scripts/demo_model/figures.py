"""All figures of demo-en in one table, with the limits that it must keep."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel

from ingestion_pipeline.demo import EPISODES

from . import measures
from .measures import MODES

HELDOUT = Path(__file__).resolve().parents[2] / "ingestion_pipeline_tests/data/heldout/heldout.opus"


@dataclass(frozen=True)
class Figure:
    """One measured value and the most that it may be; `group` names the term of the closing line."""

    name: str
    value: float
    most: float
    group: str

    @property
    def kept(self) -> bool:
        """Whether the value is within its limit."""
        return self.value <= self.most


def measured(model: WhisperModel) -> Iterator[Figure]:
    """Yield each figure as soon as it is known; all of them take about five minutes on two cores."""
    heldout = measures.read_clip(HELDOUT)
    alone, in_windows = measures.single_sentences(heldout), measures.windows(heldout)
    episodes = [measures.read_clip(file) for file in EPISODES]
    for mode in MODES:
        yield Figure(
            f"word error rate, single sentences, {mode}",
            measures.word_error_rate(model, alone, mode),
            0.03,
            "wer_single",
        )
    for mode in MODES:
        yield Figure(
            f"word error rate, windows, {mode}", measures.word_error_rate(model, in_windows, mode), 0.05, "wer_window"
        )
    for mode in (mode for mode in MODES if mode.batched or mode.times):
        yield Figure(
            f"word error rate, episodes, {mode}", measures.word_error_rate(model, episodes, mode), 0.05, "wer_episodes"
        )
    errors = measures.time_errors(model, in_windows)
    yield Figure(
        "error of start and end, 95th percentile (s)",
        float(np.quantile(errors, 0.95, method="higher")),
        0.3,
        "times_p95_s",
    )
    yield Figure("text in silence, noise or tones", measures.false_texts(model, measures.soundless()), 0, "false_text")
    yield Figure("greedy decodings that do not end", measures.unfinished(model, [*alone, *in_windows]), 0, "unfinished")


def closing_line(figures: list[Figure]) -> str:
    """Return the worst figure of each kind in one line; batched ones stand under a term of their own."""
    worst = {
        term: max(figure.value for figure in figures if figure.group == term) for term in ("wer_single", "wer_window")
    }
    batched = max(figure.value for figure in figures if "batched" in figure.name)
    single = {figure.group: figure.value for figure in figures}
    return (
        f"check-model: wer_single={worst['wer_single']:.4f} wer_window={worst['wer_window']:.4f} "
        f"wer_batched={batched:.4f} times_p95_s={single['times_p95_s']:.3f} false_text={single['false_text']:.0f}"
    )
