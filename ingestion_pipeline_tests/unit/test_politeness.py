"""Which links are of one site, how often each site is asked, and how long a pause grows."""

from datetime import UTC, datetime, timedelta

import pytest

from ingestion_pipeline import errors
from ingestion_pipeline.failures import LOOK_AGAIN_S, RUNS, kind_of, retry_at, typed
from ingestion_pipeline.politeness import RATES, host_of, rates_of
from ingestion_pipeline.retries import JITTER, TRIES, backoff_s, tried_again


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/watch?v=1",
        "https://youtube.com/watch?v=1",
        "https://m.youtube.com/watch?v=1",
        "https://music.youtube.com/watch?v=1",
        "https://youtu.be/1",
        "https://www.youtube-nocookie.com/embed/1",
    ],
)
def test_youtube_is_one_site(url: str) -> None:
    assert host_of(url) == "youtube.com"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.example.org/a.mp3", "example.org"),
        ("http://EXAMPLE.org:8080/a", "example.org:8080"),
        ("https://notyoutube.com/", "notyoutube.com"),
        ("/audio/a.mp3", ""),
        ("file:///audio/a.mp3", ""),
        ("http://example.org:port/", ""),
        ("http://[", ""),
    ],
)
def test_other_sites_are_told_by_host_and_port(url: str, host: str) -> None:
    assert host_of(url) == host


def test_rates_are_by_host_and_the_others_keep_their_default() -> None:
    assert rates_of("youtube.com=5,*=60") == RATES
    assert rates_of("*=10") == {**RATES, "*": 10}
    assert rates_of(" Example.org = 0.5 , www.youtube.com=2") == {**RATES, "example.org": 0.5, "youtube.com": 2}


def test_pauses_grow_by_four_with_a_jitter() -> None:
    for attempt, mean in ((1, 5), (2, 20), (3, 80)):
        pauses = [backoff_s(5, attempt) for _ in range(100)]
        assert mean * (1 - JITTER) <= min(pauses) < max(pauses) <= mean * (1 + JITTER)


class Step:
    """Fails so many times, then gives its number of tries."""

    def __init__(self, failures: int, error: errors.IngestionError) -> None:
        self.failures, self.error, self.tries = failures, error, 0

    def __call__(self) -> int:
        self.tries += 1
        if self.tries <= self.failures:
            raise self.error
        return self.tries


def test_what_may_pass_is_tried_three_times() -> None:
    lines: list[str] = []
    assert tried_again(Step(2, errors.QueueFull("Full.")), 0.001, lines.append) == 3
    assert lines == ["Full. Try 2 of 3 in 0 s.", "Full. Try 3 of 3 in 0 s."]
    step = Step(9, errors.Transient("No."))
    with pytest.raises(errors.Transient):
        tried_again(step, 0.001, lines.append)
    assert step.tries == TRIES


@pytest.mark.parametrize(
    "kind", [errors.Breaker, errors.Deferred, errors.NeedsAccess, errors.Permanent, errors.DiskFull]
)
def test_nothing_else_is_tried_again_in_the_step(kind: type[errors.IngestionError]) -> None:
    step = Step(1, kind("No."))
    with pytest.raises(kind):
        tried_again(step, 0.001, pytest.fail)
    assert step.tries == 1


LATER = datetime.now(UTC) + timedelta(hours=5)


def test_what_waits_is_tried_again_when_it_is_due() -> None:
    assert retry_at(errors.Breaker("No.", until=LATER), 300, 1) == LATER
    assert retry_at(errors.Deferred("No.", due=LATER), 300, 1) == LATER


@pytest.mark.parametrize(("attempts", "hours"), [(1, 1), (2, 2), (4, 8), (9, 24)])
@pytest.mark.parametrize("due", [None, datetime(2020, 1, 1, tzinfo=UTC)])
def test_where_nobody_says_when_the_pauses_grow_to_a_day(due: datetime | None, attempts: int, hours: int) -> None:
    before = datetime.now(UTC)
    again = retry_at(errors.Deferred("No.", due=due), 300, attempts)
    assert again is not None
    assert before + timedelta(seconds=hours * LOOK_AGAIN_S) <= again <= LATER + timedelta(days=1)


@pytest.mark.parametrize("kind", [errors.ModelServerFault, errors.DatabaseFault])
def test_a_server_that_did_not_answer_is_asked_again_later(kind: type[errors.IngestionError]) -> None:
    before = datetime.now(UTC)
    again = retry_at(kind("No."), 300, 2)
    assert again is not None
    assert again >= before + timedelta(seconds=2 * LOOK_AGAIN_S)


def test_what_may_pass_is_tried_again_in_a_few_runs() -> None:
    before = datetime.now(UTC)
    again = retry_at(errors.Transient("No."), 300, 2)
    assert again is not None
    assert again >= before + timedelta(seconds=1200 * (1 - JITTER))
    assert retry_at(errors.Transient("No."), 300, RUNS) is None


@pytest.mark.parametrize("kind", [errors.DiskFull, errors.NeedsAccess, errors.Permanent, errors.PrivateAddress])
def test_the_rest_waits_for_a_person(kind: type[errors.IngestionError]) -> None:
    assert retry_at(kind("No."), 300, 1) is None


def test_each_kind_has_a_name_and_the_unforeseen_may_pass() -> None:
    kinds = [errors.BadSettings, errors.DiskFull, errors.PrivateAddress, errors.QueueFull, errors.NeedsAccess]
    names = ["environment", "environment", "permanent", "transient", "needs_access"]
    assert [kind_of(kind("No.")) for kind in kinds] == names
    bug = typed("feed-1", ZeroDivisionError("division by zero"))
    assert (kind_of(bug), bug.what) == ("transient", "feed-1: ZeroDivisionError: division by zero")
