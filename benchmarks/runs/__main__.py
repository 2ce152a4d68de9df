"""`python -m benchmarks.runs`: what a run for each video costs, and how much of the engine's speed a backfill keeps."""

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from benchmarks.asr.machine import described

from . import RESULTS, ROOT
from .backfill import Job
from .work import episodes

_ROW = "| {} | {} | {} | {} | {} | {} | {} | {} |"
_HEAD = ("model", "way", "videos", "s a video", "run CPU s", "Dagster CPU s", "loads", "kept of the engine")


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--videos", default=20, show_default=True, type=click.IntRange(1), help="In a backfill.")
@click.option("--minutes", default=3.0, show_default=True, type=click.FloatRange(min=0.1), help="Length of each.")
@click.option("--naive", default=4, show_default=True, type=click.IntRange(1), help="Videos for the naive way.")
@click.option("--models", default="demo-en,small", show_default=True, help="The last one gives the last line.")
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=RESULTS, help="Folder.")
def main(videos: int, minutes: float, naive: int, models: str, results: Path) -> None:
    """Backfill through Dagster's webserver and daemon, with the model server and with a model in each step.

    \b
    python -m benchmarks.runs
    python -m benchmarks.runs --models demo-en --videos 4 --minutes 1
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    files = [str(file) for file in episodes(videos, minutes * 60)]
    kept: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat(), "machine": described("cpu"), "rows": []}
    for model in models.split(","):
        engine_s = float(_output("engine", model, *files))
        click.echo(f"{model}: the engine alone takes {engine_s:.1f} s")
        for way, given in (("model server", files), ("model in each step", files[:naive])):
            cost = json.loads(_output("backfill", json.dumps(asdict(Job(model, given, way != "model server")))))
            share = engine_s * len(given) / videos / cost["wall_s"]
            row = {"model": model, "way": way, "videos": len(given), "engine_s": engine_s, "kept": share, **cost}
            kept["rows"].append(row)
            click.echo(_line(row))
    _write(results, kept, minutes)
    last = kept["rows"][-2]
    click.echo(
        f"bench-runs: run_cpu_s={last['run_cpu_s']:.2f} dagster_cpu_s={last['dagster_cpu_s']:.2f} "
        f"loads={last['loads']} kept={last['kept']:.2f}"
    )


def _output(module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", f"benchmarks.runs.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{module} ended with status {done.returncode}:\n{done.stderr}")
    return done.stdout.splitlines()[-1]


def _line(row: dict[str, Any]) -> str:
    each = row["wall_s"] / row["videos"]
    cpu = f"{row['run_cpu_s']:.2f}", f"{row['dagster_cpu_s']:.2f}"
    return _ROW.format(
        row["model"], row["way"], row["videos"], f"{each:.1f}", *cpu, row["loads"] or "-", f"{row['kept']:.2f}"
    )


def _write(results: Path, kept: dict[str, Any], minutes: float) -> None:
    results.mkdir(parents=True, exist_ok=True)
    (results / "runs-cpu.json").write_text(json.dumps(kept, indent=1) + "\n")
    lines = [
        "# A run for each video",
        "",
        f"Made {kept['date']}; backfills of videos of {minutes:g} min. `benchmarks/README.md` explains the columns.",
        "",
        *(f"- {name}: {value}" for name, value in kept["machine"].items()),
        "",
        _ROW.format(*_HEAD),
        _ROW.format(*["---"] * len(_HEAD)),
        *(_line(row) for row in kept["rows"]),
        "",
        *(_waits(row) for row in kept["rows"] if row["loads"]),
    ]
    (results / "runs-cpu.md").write_text("\n".join(lines) + "\n")


def _waits(row: dict[str, Any]) -> str:
    wait_ms = 1000 * row["longest_wait_s"]
    waited = f"a decode worker waited at most {wait_ms:.0f} ms while videos did"
    return f"- {row['model']}: {waited}; the server took {row['server_memory_mb']:.0f} MB."


if __name__ == "__main__":
    main(prog_name="python -m benchmarks.runs")
