"""Make demo-en, the Whisper that the project ships, from nothing but espeak-ng and a seed.

    python scripts/train_demo_model.py             # an hour and a half on two cores
    python scripts/train_demo_model.py --work build/try --scale 0.01 --output build/try/model

Corpus, training, conversion to CTranslate2, measurement, card. Interrupted, the same command goes on from its last
shard of the corpus or checkpoint.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from faster_whisper import WhisperModel

from demo_model.card import Making, write_card
from demo_model.corpus import SHARD, build_corpus, read_corpus
from demo_model.export import export_model
from demo_model.figures import Figure, measured
from demo_model.measures import COMPUTE
from demo_model.network import Trainee
from demo_model.training import Batches, Progress, Stage, train
from demo_model.vocabulary import train_tokenizer
from ingestion_pipeline.demo import MODEL

ROOT = Path(__file__).resolve().parents[1]
CURRICULUM = (
    Stage(5, 16, 2400),
    Stage(10, 16, 2000),
    Stage(18, 16, 1200),
    Stage(30, 8, 1650),
    Stage(30, 8, 1600, silent=0.2),
)
"""More than half of the time goes into windows of 18 and 30 s: late in long windows is where the errors are.

The last has twice as much silence, noise and tones, of which one still got a text otherwise.
"""
UTTERANCES = 30_000


def main() -> None:
    options = parsed_options()
    made = trained_model(options.work, options.output, options.seed, options.scale)
    write_card(options.output, made, list(figures_of(options.output)))
    print(f"model: {options.output}, {(options.output / 'model.bin').stat().st_size / 1e6:.1f} MB", flush=True)


def trained_model(work: Path, output: Path, seed: int, scale: float) -> Making:
    """Write the model to `output`, with corpus and checkpoint in `work`; return how it was made."""
    torch.set_num_threads(os.cpu_count() or 1)
    utterances = max(1, round(UTTERANCES * scale / SHARD)) * SHARD
    for done in build_corpus(work / "corpus", utterances, seed, os.cpu_count() or 1):
        print(f"corpus: {done} of {utterances} utterances", flush=True)
    corpus = read_corpus(work / "corpus")
    tokenizer = train_tokenizer(utterance.text for utterance in corpus)
    stages = [replace(stage, steps=max(1, round(stage.steps * scale))) for stage in CURRICULUM]
    batches = Batches(corpus, tokenizer, stages, seed)
    trainee, checkpoint = Trainee(seed, len(batches.phonemes)), work / "checkpoint.pt"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for progress in train(trainee, batches, checkpoint, device):
        report(progress)
    export_model(trainee.whisper.cpu().eval(), tokenizer, output)
    return Making(corpus, stages, torch.load(checkpoint)["elapsed_s"] / 60, device)


def report(at: Progress) -> None:
    left_s = at.elapsed_s / at.step * (at.steps - at.step)
    print(
        f"training: step {at.step} of {at.steps}, windows of {at.seconds} s, loss {at.loss:.3f}, "
        f"words {at.accuracy:.3f}, {at.elapsed_s / 60:.1f} min, at this pace {left_s / 60:.0f} min left",
        flush=True,
    )


def figures_of(folder: Path) -> Iterator[Figure]:
    for figure in measured(
        WhisperModel(str(folder), device="cpu", compute_type=COMPUTE, cpu_threads=os.cpu_count() or 1)
    ):
        print(f"{figure.name}: {figure.value:.4g}, at most {figure.most:g}", flush=True)
        yield figure


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default_work = ROOT / "build" / "demo-en"
    parser.add_argument("--work", type=Path, default=default_work, help="corpus, checkpoints (default: build/demo-en)")
    parser.add_argument("--output", type=Path, default=MODEL, help="folder of the model (default: in the package)")
    parser.add_argument("--seed", type=int, default=1, help="of the corpus and the training (default: 1)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of corpus and steps (default: 1)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
