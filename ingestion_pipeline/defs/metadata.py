"""What a person sees of a video in the UI: tags of its run, links, the first sentences; and how each source stands."""

import re
from collections.abc import Sequence
from itertools import accumulate

import dagster as dg
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from ingestion_pipeline.moments import clock, link_to
from ingestion_pipeline.quality import Finding
from ingestion_pipeline.records import Transcript, Video
from ingestion_pipeline.store import catalogue
from ingestion_pipeline.store.catalogue import SourceCounts
from ingestion_pipeline.store.database import Database

_TITLE = "video/title"
TAG_LETTERS = 120
_WAIT_S, _FACTOR = 72 * 3600, 4
"""A run may take so long for its turns at the site and at Whisper, and so many times the length of its video."""
_SHOWN_AT_ONCE = 1000
"""Letters of Markdown that a page of Dagster shows; more is a click away (ui-core, `MetadataEntry.tsx`)."""
_COUNTS = ("found", "done", "failed", "waits", "blocked")


def tag_run(context: dg.AssetExecutionContext, database: Database) -> bool:
    """Name the video in the tags of its run, however it was launched; a run that is executed again has them.

    Returns False where the catalogue does not know the video yet, as its key was typed in by hand.
    """
    if _TITLE in context.run.tags:
        return True
    with database.connection() as connection:
        if not catalogue.is_known(connection, context.partition_key):
            return False
        video = catalogue.video_of(connection, context.partition_key)
    tags = run_tags(video.title, video.channel, video.source, video.duration_s)
    context.instance.add_run_tags(context.run.run_id, tags)
    return True


def run_tags(title: str, channel: str, source: str, duration_s: float | None) -> dict[str, str]:
    """Return the tags by which a person finds the run of a video, and by which Dagster ends one that hangs."""
    tags = {_TITLE: title, "video/channel": channel, "source": source}
    longest = {} if duration_s is None else {MAX_RUNTIME_SECONDS_TAG: str(round(_WAIT_S + _FACTOR * duration_s))}
    return {name: value[:TAG_LETTERS] for name, value in tags.items() if value} | longest


def about(video: Video) -> dict[str, dg.MetadataValue]:
    """Return what each asset of a video says of it."""
    text = {"title": video.title, "channel": video.channel, "source": video.source}
    if video.published_at:
        text["published"] = f"{video.published_at:%Y-%m-%d}"
    return {
        **{name: dg.MetadataValue.text(value) for name, value in text.items() if value},
        "link": dg.MetadataValue.url(video.page_url),
    }


def preview(video: Video, transcript: Transcript) -> str:
    """Return the first sentences in Markdown, each with a link that opens the video there, and how to have all."""
    if not transcript.segments:
        return "no speech"
    lines = [f"- {_place(video, segment.start)} {plain(segment.text)}\n" for segment in transcript.segments]
    more = f"\n{len(lines)} segments: `ingest export {video.key} --format srt`"
    lengths = accumulate(len(line) for line in lines)
    shown = [line for line, length in zip(lines, lengths, strict=True) if length + len(more) < _SHOWN_AT_ONCE]
    return "".join(shown) + more


def quality_note(findings: Sequence[Finding]) -> str:
    """Return in a line what the checks found, for the page of a partition, which does not show them."""
    faults = [f"{finding.check}: {finding.fault}" for finding in findings if finding.fault]
    if not faults:
        return "good"
    head = "not embedded" if any(finding.blocks for finding in findings) else "warning"
    return f"{head}. {' '.join(faults)}"


def source_metadata(sources: Sequence[SourceCounts]) -> dict[str, dg.MetadataValue]:
    """Return the table of sources, in Markdown since the errors are long; and its sums, which Dagster plots."""
    lines = [("source", *_COUNTS), ("---", *["--:"] * len(_COUNTS)), *map(_row, sources)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    errors = "".join(f"\n- **{plain(one.source)}**: {plain(one.error)}" for one in sources if one.error)
    sums = {name: sum(getattr(source, name) for source in sources) for name in _COUNTS}
    return {
        "sources": dg.MetadataValue.md(f"{table}\n{errors}".strip()),
        **{name: dg.MetadataValue.int(number) for name, number in sums.items()},
    }


def _row(source: SourceCounts) -> tuple[str, ...]:
    return plain(source.source), *(str(getattr(source, name)) for name in _COUNTS)


def _place(video: Video, seconds: float) -> str:
    link = link_to(video, seconds)
    return f"[{clock(seconds)}](<{link}>)" if link.startswith(("http://", "https://")) else clock(seconds)


def plain(text: str) -> str:
    """Return a text that Markdown leaves as it is."""
    return re.sub(r"([\\`*_\[\]<>#|~&])", r"\\\1", text)
