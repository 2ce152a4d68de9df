"""Messages about failures, sent through Apprise to a web server on loopback: one for a burst, and what is then told."""

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import dagster as dg
import pytest

from ingestion_pipeline import notification
from ingestion_pipeline.defs.notification import Messages, failure_messages, notify_failures
from ingestion_pipeline.defs.resources import Store
from ingestion_pipeline.errors import (
    BadSettings,
    Breaker,
    Deferred,
    EnvironmentFault,
    IngestionError,
    Permanent,
    Transient,
)
from ingestion_pipeline.failures import note
from ingestion_pipeline.store import catalogue, failures
from ingestion_pipeline.store.database import Database
from ingestion_pipeline_tests.support.examples import video

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
"""Apprise looks for a module that Python 3.13 has dropped."""


class Inbox(HTTPServer):
    """Keeps the JSON that is posted to it; `status` is what it answers."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.messages: list[dict[str, str]] = []

    @property
    def address(self) -> str:
        """Its address for Apprise."""
        return f"json://127.0.0.1:{self.server_port}/secret"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Inbox)
        self.server.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def broken() -> Iterator[Inbox]:
    """Give one that takes nothing."""
    with Inbox() as inbox:
        inbox.status = 500
        thread = Thread(target=inbox.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield inbox
        inbox.shutdown()
        thread.join()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as inbox:
        thread = Thread(target=inbox.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield inbox
        inbox.shutdown()
        thread.join()


def fail(database: Database, number: int, error: IngestionError) -> failures.Failure:
    one = video(number)
    with database.writing() as connection:
        catalogue.save_videos(connection, [one])
    return note(database, one.key, "raw_audio", error, run_id="r", retry_after_s=300, log=pytest.fail)


def age(database: Database, minutes: float) -> None:
    """Let it be so long ago that all failed."""
    with database.connection() as connection:
        connection.execute("update failures set failed_at = failed_at - %s", (timedelta(minutes=minutes),))


def tick(database: Database, instance: dg.DagsterInstance, urls: str | None) -> dg.RunRequest | dg.SkipReason:
    resources = {"store": Store(url=database.url, writers=1), "messages": Messages(urls=urls)}
    with dg.build_sensor_context(instance, resources=resources) as context:
        return failure_messages(context)  # type: ignore[no-any-return]


def send(database: Database, instance: dg.DagsterInstance, urls: str | None) -> bool:
    resources = {"store": Store(url=database.url, writers=1), "messages": Messages(urls=urls)}
    return notify_failures.execute_in_process(instance=instance, resources=resources, raise_on_error=False).success


def test_a_burst_of_failures_is_one_message(database: Database, inbox: Inbox) -> None:
    for number in range(8):
        fail(database, number, Permanent(f"Video {number} was removed.", "Leave it out."))
    fail(database, 8, Transient("HTTP Error 503.", "It is tried again."))
    with dg.DagsterInstance.ephemeral() as instance:
        assert isinstance(tick(database, instance, inbox.address), dg.SkipReason)
        age(database, 1)
        assert isinstance(tick(database, instance, inbox.address), dg.RunRequest)
        assert send(database, instance, inbox.address)
        assert isinstance(tick(database, instance, inbox.address), dg.SkipReason)
        assert send(database, instance, inbox.address)
    (message,) = inbox.messages
    assert message["title"] == "9 videos failed or wait"
    assert "8 permanent: Leave it out.\n- Video " in message["message"]
    assert "- and 3 more" in message["message"]
    assert "1 transient: It is tried again.\n- Video 8: HTTP Error 503." in message["message"]


def test_a_burst_that_does_not_end_is_told_after_ten_minutes(database: Database, inbox: Inbox) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        fail(database, 1, Permanent("No."))
        age(database, 9)
        fail(database, 2, Permanent("No."))
        assert isinstance(tick(database, instance, inbox.address), dg.SkipReason)
        age(database, 1)
        fail(database, 3, Permanent("No."))
        assert isinstance(tick(database, instance, inbox.address), dg.RunRequest)


def test_only_news_is_told(database: Database, inbox: Inbox) -> None:
    """The same kind again is no news; another kind is, and that it is not tried any more; what is upcoming never is."""

    def told() -> int:
        before = len(inbox.messages)
        return notification.tell(database, inbox.address, print) and len(inbox.messages) - before

    steps: list[tuple[IngestionError, int]] = [
        (Transient("503"), 1),
        *[(Transient("503"), 0)] * 3,
        (Transient("503"), 1),
        (Transient("503"), 0),
        (Permanent("404"), 1),
        (Deferred("live"), 0),
    ]
    for error, messages in steps:
        fail(database, 1, error)
        assert told() == messages, error


def test_a_site_that_refuses_in_between_neither_ends_the_count_nor_is_news(database: Database) -> None:
    attempts, untold = list[int](), list[int]()
    for error in (Transient("403"), Breaker("429"), Transient("403"), Breaker("429"), Transient("403")):
        attempts.append(fail(database, 1, error).attempts)
        with database.writing() as connection:
            untold.append(len(failures.untold(connection)))
            failures.told(connection, failures.untold(connection))
    assert attempts == [1, 1, 2, 1, 3]
    assert untold == [1, 0, 0, 0, 0]


def test_a_message_that_is_not_taken_is_sent_again_and_failures_meanwhile_are_told(
    database: Database, inbox: Inbox
) -> None:
    fail(database, 1, Permanent("No."))
    age(database, 1)
    inbox.status = 500
    with dg.DagsterInstance.ephemeral() as instance:
        assert not send(database, instance, inbox.address)
        skipped = tick(database, instance, inbox.address)
        assert isinstance(skipped, dg.SkipReason)
        assert "could not be sent" in str(skipped.skip_message)
    with pytest.raises(EnvironmentFault) as caught:
        notification.tell(database, inbox.address, print)
    assert "secret" not in str(caught.value)
    inbox.status = 200
    assert notification.tell(database, inbox.address, print) == 1
    assert notification.tell(database, inbox.address, print) == 0


def test_an_address_that_takes_nothing_does_not_have_the_others_get_it_twice(
    database: Database, inbox: Inbox, broken: Inbox
) -> None:
    warnings: list[str] = []
    fail(database, 1, Permanent("No."))
    assert notification.tell(database, f"{broken.address},{inbox.address}", warnings.append) == 1
    assert notification.tell(database, f"{broken.address},{inbox.address}", warnings.append) == 0
    assert len(inbox.messages) == 1
    assert warnings == ["1 of 2 of NOTIFY_URLS did not take the message about failures."]


def test_what_fails_again_while_it_is_told_stays_untold(database: Database) -> None:
    first = fail(database, 1, Transient("503"))
    fail(database, 1, Permanent("404"))
    with database.connection() as connection:
        failures.told(connection, [first])
        assert [one.kind for one in failures.untold(connection)] == ["permanent"]


def test_nothing_is_sent_where_no_address_is_set(database: Database) -> None:
    fail(database, 1, Permanent("No."))
    age(database, 1)
    with dg.DagsterInstance.ephemeral() as instance:
        skipped = tick(database, instance, None)
        assert isinstance(skipped, dg.SkipReason)
        assert "NOTIFY_URLS" in str(skipped.skip_message)
        assert send(database, instance, None)


def test_an_address_that_apprise_cannot_read_is_not_repeated(database: Database) -> None:
    fail(database, 1, Permanent("No."))
    with pytest.raises(BadSettings, match="NOTIFY_URLS") as caught:
        notification.tell(database, "nonsense://hunter2", print)
    assert "hunter2" not in str(caught.value)
