"""Measure demo-en on the held-out sentences and the episodes; exit status 1 where a figure is over its limit.

python scripts/check_demo_model.py
python scripts/check_demo_model.py build/try/model
"""

import argparse
import sys
from pathlib import Path

from faster_whisper import WhisperModel

from demo_model.figures import closing_line, measured
from demo_model.measures import COMPUTE
from ingestion_pipeline.demo import MODEL


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "model", nargs="?", type=Path, default=MODEL, help="folder of the model (default: the one in the package)"
    )
    folder = parser.parse_args().model
    if not (folder / "model.bin").exists():
        parser.exit(2, f"check-model: no model in {folder}: run make demo-model, or name the folder of another\n")
    model = WhisperModel(str(folder), device="cpu", compute_type=COMPUTE, cpu_threads=2)
    figures = []
    for figure in measured(model):
        print(
            f"{figure.name}: {figure.value:.4g}, at most {figure.most:g}{'' if figure.kept else '   OVER'}", flush=True
        )
        figures.append(figure)
    print(closing_line(figures))
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
