"""`python -m benchmarks.asr_memory`: the engine's peak memory must not grow with the length of the audio.

It transcribes a file of ten minutes and one of ten hours with demo-en, each in a process of its own, and compares the
most memory that each process ever had. Exit status 1 where the long file took more than 300 MB more.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import joblib

from ingestion_pipeline.speech.engine import BATCH

from .asr import BUILT, RESULTS
from .asr.machine import described
from .asr.measure import Job
from .asr.runner import Failed, figures
from .asr.setup import Setup
from .asr.speech import recording, write_opus

_PART_S = 600
_MOST_MB = 300


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--hours", type=click.FloatRange(min=1), default=10.0, show_default=True, help="Length of the long file.")
@click.option("--beam", type=click.IntRange(1), default=5, show_default=True, help="As in production: 5.")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=RESULTS, help="Folder.")
def main(hours: float, beam: int, results: Path) -> None:
    """Compare the engine's peak memory on ten minutes of audio with that on ten hours.

    \b
    python -m benchmarks.asr_memory
    python -m benchmarks.asr_memory --hours 1
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    cores = joblib.cpu_count()
    setup = Setup("demo-en", "cpu", "int8", cores, workers=cores, batch=BATCH["cpu"], pipeline_batch=8, beam=beam)
    measured = []
    for parts in (1, round(hours * 3600 / _PART_S)):
        measured.append(_measured(setup, parts))
        click.echo(f"{measured[-1]['audio_s'] / 60:.0f} min of audio: peak {measured[-1]['memory'] / 1e6:.0f} MB, "
                   f"{measured[-1]['wall_s']:.0f} s")  # fmt: skip
    short_mb, long_mb = (one["memory"] / 1e6 for one in measured)
    kept = {"date": datetime.now(UTC).date().isoformat(), "machine": described("cpu"), "measurements": measured}
    results.mkdir(parents=True, exist_ok=True)
    (results / "asr-memory.json").write_text(json.dumps(kept, indent=1) + "\n")
    click.echo(f"asr-memory: short_mb={short_mb:.0f} long_mb={long_mb:.0f} more_mb={long_mb - short_mb:.0f}")
    raise SystemExit(long_mb - short_mb > _MOST_MB)


def _measured(setup: Setup, parts: int) -> dict[str, Any]:
    try:
        found = figures(Job("d", setup, [_audio(parts)]))
    except Failed as error:
        raise click.ClickException(str(error)) from error
    wanted = ("memory", "wall_s", "busy", "windows", "others")
    return {"model": setup.model, "beam": setup.beam, "audio_s": parts * _PART_S} | {key: found[key] for key in wanted}


def _audio(parts: int) -> Path:
    """Return a file of ten minutes for each part, no two alike; the first call writes it, part by part."""
    file = BUILT / "audio" / f"memory-{parts}.opus"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_suffix(".part")
        write_opus(written, (recording(f"memory {number}", _PART_S)[0] for number in range(parts)))
        written.replace(file)
    return file


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.asr_memory")
