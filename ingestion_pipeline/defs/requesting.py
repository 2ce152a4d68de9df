"""From candidates to requested runs: those that are due, and of which nobody else has a run."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from ingestion_pipeline.due import Due, Request, due_now
from ingestion_pipeline.politeness import host_of
from ingestion_pipeline.store.requests import Candidate, SetBack

from . import runs
from .assets import videos
from .failures import give_up
from .metadata import run_tags
from .resources import Store

SENSORS = ("new_uploads", "retry_due")
MOST_AT_ONCE = 100
"""Requested runs that have not ended: the queue stays short, and what is newer goes before what waits."""


def requested(
    context: dg.SensorEvaluationContext,
    store: Store,
    candidates: Sequence[Candidate],
    others: SetBack,
    refusing: Sequence[str],
    *,
    nothing: str,
    now: datetime,
) -> dg.SensorResult:
    """Return the requests for those candidates that are due, or else, after `nothing`, what is waited for.

    What lies on one of the `refusing` hosts is left for later: its run would end at once, to be tried again then.
    The candidates were read before the instance is asked: of a run that ended in between, the end is seen here; and the
    backfills before the runs, for those that they request in between. What is given up is from now on among the
    failures.
    """
    instance, repository = context.instance, context.repository_def
    assert repository is not None
    held = runs.videos_awaiting_backfills(instance, repository) if candidates else set()
    busy = runs.videos_in_progress(instance) if candidates else set()
    held -= busy
    taken = busy | held
    on_them = [video for video in candidates if host_of(video.media_url) in refusing] if refusing else []
    left_alone = {video.key for video in on_them} - taken
    taken |= left_alone
    free = [video for video in candidates if video.key not in taken]
    room = MOST_AT_ONCE - runs.requests_in_progress(instance, SENSORS) if free else 0
    pause_s = store.retry_after_s
    due = due_now(free, lambda keys: runs.past_runs(instance, keys), room=room, pause_s=pause_s, now=now)
    for video, last_run in due.given_up.items():
        give_up(context, store, video, last_run)
    if due.requests:
        keys = [request.video.key for request in due.requests]
        adding = [videos.build_add_request(keys)]
        return dg.SensorResult([run_request(one) for one in due.requests], dynamic_partitions_requests=adding)
    counts = {
        "in progress": sum(video.key in busy for video in candidates),
        "in a backfill": sum(video.key in held for video in candidates),
        "wait for a site that refuses": len(left_alone),
        "wait for a place": len(free) if room <= 0 else 0,
    }
    return dg.SensorResult(skip_reason=f"{nothing}; {_waited_for(counts, due, others)}".removesuffix("; "))


def run_request(request: Request) -> dg.RunRequest:
    """Return the request for a run, with tags by which a person finds it."""
    video = request.video
    tags = run_tags(video.title, video.channel, video.source, video.duration_s)
    return dg.RunRequest(run_key=request.key, partition_key=video.key, tags=tags)


def _waited_for(counts: dict[str, int], due: Due, others: SetBack) -> str:
    """Return what is waited for, in words: 3 in progress, 2 wait until 2026-11-28 14:05 UTC, 1 failed for good."""
    times = [time for time in (due.next_at, others.next_at) if time is not None]
    until = f"wait until {min(times).astimezone(UTC):%Y-%m-%d %H:%M} UTC" if times else "wait"
    counts = {
        **counts,
        until: due.waiting + others.waiting,
        "failed for good": others.for_good + len(due.given_up),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
