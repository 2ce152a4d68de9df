"""The figures as a page of Markdown, and the last line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Kept = Mapping[str, Any]
"""What the JSON file holds: date, machine, what was written, the index, and a row for each way of searching."""
_HEAD = ("search", "filter", "p50 ms", "p95 ms", "recall@10")


def closing_line(kept: Kept) -> str:
    """Return what the targets are about: writing, the hybrid search, and recall of the index, filter or not."""
    hybrid, plain, filtered = (
        row(kept, way, filtered=filtered) for way, filtered in (("hybrid", False), ("index", False), ("index", True))
    )
    return (
        f"bench-search: write_rows_s={kept['writing']['rows_s']:.0f} video_ms={kept['writing']['video_ms']:.0f} "
        f"p50_ms={hybrid['p50_ms']:.1f} p95_ms={hybrid['p95_ms']:.1f} "
        f"recall={plain['recall']:.3f} recall_filtered={filtered['recall']:.3f}"
    )


def row(kept: Kept, way: str, *, filtered: bool) -> Mapping[str, Any]:
    """Return the row of a way of searching, without or with the filter."""
    return next(one for one in kept["searches"] if (one["way"], one["filtered"]) == (way, filtered))


def page(kept: Kept) -> str:
    """Return the whole page."""
    return "\n".join(_lines(kept)) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"


def machine_lines(kept: Kept) -> Iterator[str]:
    """Yield what the figures were measured on."""
    yield from (f"- {name}: {value}" for name, value in kept["machine"].items())


def _lines(kept: Kept) -> Iterator[str]:
    yield f"# Search in {kept['passages']:,} passages"
    yield ""
    yield f"Made {kept['date']} with {kept['questions']} questions. `benchmarks/README.md` explains the columns."
    yield ""
    yield from machine_lines(kept)
    yield ""
    yield from _written(kept["writing"], kept["index"])
    yield ""
    yield from table(_HEAD, [_cells(one) for one in kept["searches"]])


def _written(writing: Mapping[str, Any], index: Mapping[str, Any]) -> Iterator[str]:
    yield f"- {writing['writers']} writers at once: {writing['rows_s']:,.0f} passages a second"
    yield f"- a video of 200 passages alone: {writing['video_ms']:.0f} ms, the median of {writing['single_videos']}"
    yield f"- index: built in {index['build_s']:.0f} s, {index['size_mb']:.0f} MB; table: {index['table_mb']:.0f} MB"


def _cells(one: Mapping[str, Any]) -> list[str]:
    recall = "-" if one["recall"] is None else f"{one['recall']:.3f}"
    return [
        one["way"],
        "a tenth" if one["filtered"] else "none",
        f"{one['p50_ms']:.1f}",
        f"{one['p95_ms']:.1f}",
        recall,
    ]
