"""The benchmark's bookkeeping: turns, going on after an interruption, ratios, and a report of what was run alone."""

from itertools import islice
from pathlib import Path

import pytest

from benchmarks.asr.medians import closing_line, figures_of
from benchmarks.asr.plan import Case, Step, cases, steps
from benchmarks.asr.report import page
from benchmarks.asr.results import OtherConditions, Results
from benchmarks.asr.setup import Setup
from benchmarks.asr.workloads import SCALES, WORKLOADS, seconds_of

PLACE = Setup("", "cpu", "int8", cores=2, workers=2, batch=0, pipeline_batch=0, beam=0)
MACHINE = {"cpu": "some", "cores": "2", "engine": "one"}
SECONDS = {"a": 30.0, "b": 20.0, "c": 15.0, "d": 10.0}


def planned() -> list[Case]:
    return list(cases(Step("base", 1, "quick", runs=3, workloads=("short",)), PLACE))


def found(wall_s: float) -> dict[str, object]:
    counts = {"windows": 2, "tokens": 200, "memory": 500_000_000, "others": 0.0}
    return {"audio_s": 60.0, "wall_s": wall_s, "busy": [0.5, 0.7], **counts}


def measured(file: Path) -> Results:
    results = Results.at(file, MACHINE)
    for case in planned():
        results.add(case, found(SECONDS[case.arm] + case.run))
    return results


def test_the_arms_take_turns() -> None:
    assert [(case.run, case.arm) for case in islice(planned(), 5)] == [(1, "a"), (1, "b"), (1, "c"), (1, "d"), (2, "a")]


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    first_round, (torn, *rest) = planned()[:4], planned()[4:]
    results = Results.at(tmp_path / "asr.json", MACHINE)
    for case in (*first_round, torn):
        results.add(case, found(1.0))
    again = Results.at(tmp_path / "asr.json", MACHINE)
    assert again.missing(planned()) == [torn, *rest]
    again.forget([torn, *rest])
    assert [row["arm"] for row in again.rows] == ["a", "b", "c", "d"]


def test_another_engine_is_not_mixed_in(tmp_path: Path) -> None:
    measured(tmp_path / "asr.json")
    with pytest.raises(OtherConditions, match="engine"):
        Results.at(tmp_path / "asr.json", MACHINE | {"engine": "two"})


def test_the_last_line_compares_medians(tmp_path: Path) -> None:
    results = measured(tmp_path / "asr.json")
    assert [one.median_s for one in figures_of(results.rows)] == [32.0, 22.0, 17.0, 12.0]
    assert closing_line(results) == "bench-asr: short=1.83 long=- mix=- memory_mb=500"


def test_the_report_names_what_was_run_and_nothing_else(tmp_path: Path) -> None:
    text = page(measured(tmp_path / "asr.json"), "asr.png")
    assert "## base, int8 on cpu, beam 1, quick size" in text
    assert "| short | d this engine | 3 | 12.0 | 11.0 to 13.0 | 5.0 | 1.83 | 50%, 70% | 500 | 2 | 200 | - |" in text
    assert "d is 1.83 times as fast as b, 1.42 times as fast as the best other, c." in text
    assert "long" not in text


def test_named_models_are_measured_in_every_combination() -> None:
    chosen = steps("cpu", quick=False, models=["small"], workloads=["mix"], scale="quick", runs=2)
    assert chosen == [Step("small", beam, "quick", 2, ("mix",)) for beam in (1, 5)]


def test_the_full_workloads_last_as_long_as_they_say() -> None:
    minutes = {name: seconds_of(name, SCALES["full"]) / 60 for name in WORKLOADS}
    assert minutes["long"] == 60
    assert minutes["mix"] == pytest.approx(90)
    assert 40 * 20 / 60 < minutes["short"] < 40
