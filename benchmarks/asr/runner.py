"""Take one measurement after the other, say how far it is, and keep each."""

import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from json import loads
from time import perf_counter
from typing import Any

from . import ROOT
from .measure import Job
from .plan import Case
from .remaining import in_words, remaining_s
from .results import Results
from .setup import TOKENS
from .workloads import SCALES, Recording, workload


class Failed(RuntimeError):
    """A measurement ended with an error."""


def run(results: Results, cases: Sequence[Case]) -> None:
    """Measure what is not there yet, rounds that were interrupted once more; prints a line for each."""
    missing = results.missing(cases)
    results.forget(missing)
    if len(missing) < len(cases):
        print(f"{len(cases) - len(missing)} of {len(cases)} measurements are in {results.file}: going on.", flush=True)
    _prepare(missing)
    for number, case in enumerate(missing, len(cases) - len(missing) + 1):
        row = results.add(case, _measured(case))
        left = in_words(remaining_s(results.rows, missing[missing.index(case) + 1 :]))
        print(f"[{number}/{len(cases)}] {_name(case)}: {row['wall_s']:.1f} s; {left} left", flush=True)


def figures(job: Job) -> dict[str, Any]:
    """Return what `measure` finds in a process of its own; raise `Failed`."""
    command = [sys.executable, "-m", "benchmarks.asr.measure"]
    done = subprocess.run(command, input=job.to_json(), capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise Failed(f"arm {job.arm} with {job.setup.model} ended with status {done.returncode}:\n{done.stderr}")
    return dict(loads(done.stdout.splitlines()[-1]))


def word_error_rate(said: Iterable[str], heard: Iterable[str]) -> float:
    """Return the word errors for each word said; capitals and marks do not count."""
    import jiwer

    return float(jiwer.wer([_plain(text) for text in said], [_plain(text) for text in heard]))


def _prepare(cases: Iterable[Case]) -> None:
    """Make models and audio before anything is timed."""
    for setup in dict.fromkeys(case.setup for case in cases):
        setup.folder()
    for name, scale in dict.fromkeys((case.workload, case.scale) for case in cases):
        workload(name, SCALES[scale])


def _measured(case: Case) -> dict[str, Any]:
    recordings: list[Recording] = workload(case.workload, SCALES[case.scale])
    start = perf_counter()
    found = figures(Job(case.arm, case.setup, [recording.path for recording in recordings]))
    texts = found.pop("texts")
    if case.setup.real:
        found["wer"] = word_error_rate((recording.text for recording in recordings), texts)
    elif found["tokens"] != TOKENS * found["windows"]:
        raise Failed(f"{_name(case)}: {found['tokens']} tokens in {found['windows']} windows are not {TOKENS} in each")
    audio_s = sum(recording.seconds for recording in recordings)
    return {"audio_s": audio_s, "took_s": perf_counter() - start, **found}


def _name(case: Case) -> str:
    setup = case.setup
    return f"{setup.model} beam {setup.beam} {case.workload} ({case.scale}), arm {case.arm}, run {case.run}"


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z]+", text.lower()))
