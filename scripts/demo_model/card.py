"""The card that stands beside the model: what it is, how it was made, what it reaches, what it cannot do."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template

import ctranslate2
import faster_whisper
import torch
import transformers

from .corpus import CROSSED, SCRAMBLED, Utterance
from .figures import Figure, closing_line
from .sentences import Grammar
from .speech import SAMPLE_RATE, VOICES
from .training import PEAK_RATE, Stage
from .vocabulary import PIECES

_TEMPLATE = Template(Path(__file__).with_name("card.md").read_text())


@dataclass(frozen=True)
class Making:
    """How a model was made; `minutes` is the time of training alone."""

    corpus: list[Utterance]
    stages: list[Stage]
    minutes: float
    device: str


def write_card(folder: Path, made: Making, figures: list[Figure]) -> None:
    """Write `README.md` into the model's folder."""
    hours = sum(len(utterance.samples) for utterance in made.corpus) / SAMPLE_RATE / 3600
    (folder / "README.md").write_text(
        _TEMPLATE.substitute(
            words=len(Grammar().words),
            pieces=f"{PIECES:,}",
            rate=PEAK_RATE,
            utterances=len(made.corpus),
            hours=f"{hours:.1f}",
            voices=len(VOICES),
            scrambled=round(100 * SCRAMBLED),
            crossed=round(100 * CROSSED),
            stages="\n".join(
                f"| {stage.seconds} | {stage.batch} | {stage.steps} | {100 * stage.silent:.0f} |"
                for stage in made.stages
            ),
            minutes=f"{made.minutes:.0f}",
            machine=f"{made.device}, {torch.get_num_threads()} threads, {platform.machine()}",
            versions=_versions(),
            date=datetime.now(UTC).date(),
            figures="\n".join(f"| {figure.name} | {figure.value:.4g} | {figure.most:g} |" for figure in figures),
            closing_line=closing_line(figures),
        )
    )


def _versions() -> str:
    modules = (faster_whisper, ctranslate2, torch, transformers)
    named = (f"{module.__name__.replace('_', '-')} {module.__version__}" for module in modules)
    return ", ".join([f"Python {platform.python_version()}", *named])
