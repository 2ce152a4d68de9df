"""Measurements on disk: written after each one, so that an interrupted run goes on where it was."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from .plan import Case

Row = Mapping[str, Any]
"""One measurement: the fields of a `Case` and of its `Setup`, and what `measure.measured` found."""


class OtherConditions(ValueError):
    """What is there was measured on another machine, or with other versions."""


class Results:
    """The measurements of one machine and one set of versions."""

    def __init__(self, file: Path, machine: dict[str, str]) -> None:
        self.file, self.machine, self.rows = file, machine, list[Row]()
        self.date = datetime.now(UTC).date().isoformat()

    @classmethod
    def at(cls, file: Path, machine: dict[str, str]) -> "Results":
        """Return what the file holds, nothing where there is none; raise `OtherConditions`."""
        results = cls(file, machine)
        if file.exists():
            kept = json.loads(file.read_text())
            if changed := [name for name, value in machine.items() if kept["machine"].get(name) != value]:
                raise OtherConditions(f"{file} was measured with other: {', '.join(changed)}")
            results.date, results.rows = kept["date"], kept["measurements"]
        return results

    def has(self, case: Case) -> bool:
        """Tell whether a measurement was made."""
        key = key_of(case)
        return any(key.items() <= row.items() for row in self.rows)

    def missing(self, cases: Sequence[Case]) -> list[Case]:
        """Return the cases of the rounds of which an arm is not measured: all arms of a round see the same hour."""
        rounds = [list(group) for _, group in groupby(cases, lambda case: replace(case, arm=""))]
        return [case for one in rounds if not all(map(self.has, one)) for case in one]

    def forget(self, cases: Sequence[Case]) -> None:
        """Leave out what was measured of the cases."""
        keys = [key_of(case) for case in cases]
        self.rows = [row for row in self.rows if not any(key.items() <= row.items() for key in keys)]

    def add(self, case: Case, found: Row) -> Row:
        """Write a measurement to the file, and return it."""
        row = {**key_of(case), **found}
        self.rows.append(row)
        content = {"date": self.date, "machine": self.machine, "measurements": self.rows}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        written = self.file.with_suffix(".part")
        written.write_text(json.dumps(content, indent=1) + "\n")
        written.replace(self.file)
        return row

    def tables(self) -> Iterator[tuple[dict[str, Any], list[Row]]]:
        """Yield what the rows of a table have in common, and its rows."""
        kinds = list(dict.fromkeys(_kind(row) for row in self.rows))
        for kind in kinds:
            yield dict(kind), [row for row in self.rows if _kind(row) == kind]


def key_of(case: Case) -> dict[str, Any]:
    """Return what tells a measurement from all others."""
    fields = asdict(case)
    return {**fields.pop("setup"), **fields}


def _kind(row: Row) -> tuple[tuple[str, Any], ...]:
    common = ("model", "device", "compute", "cores", "workers", "batch", "pipeline_batch", "beam", "scale")
    return tuple((name, row[name]) for name in common)
