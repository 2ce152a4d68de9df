"""`ingest tune`: which configuration of Whisper suits this machine."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from ingestion_pipeline.errors import EnvironmentFault
from ingestion_pipeline.tuning.plan import Measurement, best, candidates, env_lines, fits, reason

from .session import Session

_FILES = 4
"""At once: as many as the most ASR workers that are tried."""
_NO_NVML = "Install NVIDIA's driver (in a container with the capability `utility`), or set WHISPER_DEVICE=cpu."
_ROW = "{:>6} {:>7} {:>6}  {:13} {:>8} {:>6} {:>8} {:>9}"


@click.command(epilog="Example: ingest tune talk.mp3 --minutes 5 --write .env")
@click.argument("audio", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="[AUDIO...]")
@click.option("--minutes", default=10.0, show_default=True, type=click.FloatRange(min=0.1), help="Most time to take.")
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="Add the choice to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print what was measured as JSON.")
@click.pass_obj
def tune(session: Session, audio: tuple[Path, ...], minutes: float, write: Path | None, as_json: bool) -> None:
    """Measure which configuration of Whisper is the fastest here.

    Takes AUDIO, at best a few minutes like those you will ingest, or the episodes of the demonstration, through
    WHISPER_MODEL with several model counts, workers, batches and compute types, most promising first; says what to
    choose and why. Ctrl-C ends it early and keeps what it has.
    """
    measured: list[Measurement] = []
    if not as_json:
        click.echo(_ROW.format("models", "workers", "batch", "compute", "memory", "busy", "RTFx", "relative"))
    try:
        for measurement in _measurements(session, _sample(audio), minutes * 60, measured):
            if not as_json:
                click.echo(_row(measurement, measured[0]))
    except KeyboardInterrupt:
        click.echo("ended early", err=True)
    chosen = best(measured)
    if chosen is None:
        raise EnvironmentFault(f"Nothing worked: {measured[0].fault if measured else 'ended too early'}", "See above.")
    lines = [f"{name}={value}" for name, value in env_lines(chosen.config).items()]
    if as_json:
        click.echo(json.dumps({"chosen": env_lines(chosen.config), "measured": [_record(one) for one in measured]}))
    else:
        click.echo("\n".join(["", reason(chosen, measured), *lines]))
    if write:
        _write(write, lines)


def _measurements(
    session: Session, files: Sequence[Path], limit_s: float, measured: list[Measurement]
) -> Iterator[Measurement]:
    """Measure until the time is over; what is measured is also appended to `measured`."""
    import joblib

    from ingestion_pipeline.models import chosen_device
    from ingestion_pipeline.tuning.measure import measure

    device = chosen_device(session.settings)
    ends, longest_s, memory = time.monotonic() + limit_s, 0.0, _memory_bytes(device)
    for config in candidates(session.settings.whisper_model, device, joblib.cpu_count()):
        left_s = ends - time.monotonic()
        if left_s < longest_s:
            return
        if not fits(config, measured, memory):
            continue
        began = time.monotonic()
        measured.append(measure(config, files, left_s))
        longest_s = max(longest_s, time.monotonic() - began)
        yield measured[-1]


def _memory_bytes(device: str) -> float:
    """Return what the GPU, or this machine, has in all."""
    import psutil
    import pynvml

    if device == "cpu":
        return float(psutil.virtual_memory().total)
    try:
        pynvml.nvmlInit()
        return float(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).total)
    except pynvml.NVMLError as error:
        raise EnvironmentFault(f"The GPU cannot be looked at: {error}.", _NO_NVML) from error


def _sample(audio: tuple[Path, ...]) -> list[Path]:
    """Return files to be taken at once: those given, or episodes of the demonstration, over and over."""
    from ingestion_pipeline.demo import EPISODES

    files = list(audio or EPISODES)
    return (files * _FILES)[: max(_FILES, len(files))]


def _row(one: Measurement, first: Measurement) -> str:
    config = one.config
    what = [config.parallel, config.videos, config.batch, config.compute]
    if one.fault:
        return f"{_ROW.format(*what, '', '', '', '').rstrip()}  {one.fault}"
    relative = f"{one.rtfx / first.rtfx:.2f}" if first.rtfx else ""
    return _ROW.format(*what, f"{one.memory_bytes / 1e9:.2f} GB", f"{one.busy:.0%}", f"{one.rtfx:.1f}", relative)


def _record(one: Measurement) -> dict[str, object]:
    figures = {"rtfx": one.rtfx, "memory_bytes": one.memory_bytes, "busy": one.busy, "fault": one.fault}
    return {**env_lines(one.config), **figures}


def _write(file: Path, lines: Sequence[str]) -> None:
    """Add settings to a file; earlier lines of theirs go."""
    names = {line.partition("=")[0] for line in lines}
    kept = file.read_text().splitlines() if file.exists() else []
    kept = [line for line in kept if line.partition("=")[0].strip() not in names]
    file.write_text("\n".join([*kept, "# measured by `ingest tune`", *lines, ""]))
    click.echo(f"written to {file}", err=True)


COMMANDS = (tune,)
