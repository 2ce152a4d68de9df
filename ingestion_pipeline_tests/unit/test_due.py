"""When a video is due, by what is known of its runs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_pipeline.due import KILLS, PastRun, due_at, due_now, run_key
from ingestion_pipeline.store.requests import Candidate

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
VIDEO = Candidate("one", "One", "Pod", "pod", "https://pod.org/1", 60.0)
PAUSE_S = 300


def failed(retry_at: datetime) -> Candidate:
    return Candidate("one", "One", "Pod", "pod", "https://pod.org/1", 60.0, retry_at)


def killed(count: int, last: datetime = NOON) -> list[PastRun]:
    return [PastRun(last - number * MINUTE, killed=True) for number in range(count)]


def test_a_video_that_nobody_has_run_is_due_at_once() -> None:
    at = due_at(VIDEO, [], PAUSE_S)
    assert at is not None
    assert at < NOON


@pytest.mark.parametrize(("kills", "minutes"), [(1, 5), (2, 20), (3, 80), (4, 320)])
def test_the_pause_grows_with_each_run_that_was_killed(kills: int, minutes: int) -> None:
    assert due_at(VIDEO, killed(kills), PAUSE_S) == NOON + minutes * MINUTE


def test_after_five_killed_runs_a_person_has_to_ask() -> None:
    assert due_at(VIDEO, killed(KILLS), PAUSE_S) is None
    assert due_at(failed(NOON - MINUTE), killed(KILLS), PAUSE_S) is None


def test_a_person_who_asks_is_heard_after_any_number_of_kills() -> None:
    assert due_at(failed(NOON + MINUTE), killed(KILLS), PAUSE_S) == NOON + MINUTE


def test_a_run_that_said_why_it_ended_ends_the_count() -> None:
    assert due_at(VIDEO, [PastRun(NOON), *killed(4, NOON - MINUTE)], PAUSE_S) == NOON + 5 * MINUTE


def test_a_retry_goes_by_its_own_time_unless_its_run_was_killed() -> None:
    explained = [PastRun(NOON)]
    assert due_at(failed(NOON + 9 * MINUTE), explained, PAUSE_S) == NOON + 9 * MINUTE
    assert due_at(failed(NOON - MINUTE), killed(1), PAUSE_S) == NOON + 5 * MINUTE


def test_the_key_of_a_request_is_the_same_until_there_is_another_run() -> None:
    first, second = PastRun(NOON, attempt=0), PastRun(NOON + MINUTE, attempt=1)
    by_hand = PastRun(NOON + 2 * MINUTE)
    assert [run_key("one", runs) for runs in ([], [first], [second, first], [by_hand, second, first])] == [
        "one:0",
        "one:1",
        "one:2",
        "one:3",
    ]


def test_runs_that_somebody_deleted_do_not_bring_an_old_key_back() -> None:
    assert run_key("one", [PastRun(NOON, attempt=2)]) == "one:3"


@given(st.lists(st.booleans(), max_size=300), st.integers(0, 120))
def test_the_first_that_are_due_are_taken_and_the_others_counted(waits: list[bool], room: int) -> None:
    candidates = [Candidate(str(number), "", "", "", "", None) for number in range(len(waits))]
    asked: list[str] = []

    def runs_of(keys: Sequence[str]) -> Mapping[str, Sequence[PastRun]]:
        asked.extend(keys)
        return {key: killed(1) for key in keys if waits[int(key)]}

    due = due_now(candidates, runs_of, room=room, pause_s=PAUSE_S, now=NOON)
    ready = [str(number) for number, waiting in enumerate(waits) if not waiting]
    assert [one.video.key for one in due.requests] == ready[:room]
    assert len(asked) == len(set(asked))
    if len(ready) < room:
        assert due.waiting == sum(waits)
    assert due.next_at in {None, NOON + 5 * MINUTE}
