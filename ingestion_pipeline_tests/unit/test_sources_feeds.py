import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion_pipeline.errors import SourceFault
from ingestion_pipeline.sources.entries import FeedState
from ingestion_pipeline.sources.feeds import parse_duration, parse_feed
from ingestion_pipeline.sources.fetching import Answer


def an_answer(body: bytes, content_type: str = "application/rss+xml") -> Answer:
    return Answer("https://e.org/f", body, content_type, FeedState())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1:30", 90), ("01:01:30", 3690), (" 12.5 ", 12.5), ("90:00", 5400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "00:00", "1h", "1:2:3:4", "-5", "nan", "1e9", "٣"])
def test_what_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_hours_minutes_and_seconds_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}:{minutes:02}:{seconds:02}") == hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_entity_declarations_are_refused_in_any_encoding(encoding: str) -> None:
    bomb = '<!DOCTYPE rss [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><rss version="2.0"><channel/></rss>'
    with pytest.raises(SourceFault, match=r"Source pod: https://e\.org/f declares XML entities"):
        parse_feed("pod", an_answer(bomb.encode(encoding)))


@pytest.mark.parametrize("body", [b"", b"<html><body>Not found</body></html>", b'{"version": 1}', b"/etc/hostname"])
def test_what_is_no_feed(body: bytes) -> None:
    with pytest.raises(SourceFault, match=r"Source pod: https://e\.org/f is neither RSS nor Atom"):
        parse_feed("pod", an_answer(body))


def test_what_feedparser_falls_over_is_a_fault_of_the_source() -> None:
    body = b'<rss version="2.0"><channel><item><title>half &#xD800; a pair</title></item></channel></rss>'
    with pytest.raises(SourceFault, match=r"Source pod: https://e\.org/f cannot be read as a feed: .*surrogates"):
        parse_feed("pod", an_answer(body))


@pytest.mark.parametrize("content_type", ["", "text/xml", "application/octet-stream", "text/html; charset=utf-8"])
def test_the_text_is_read_as_utf_8_whatever_type_the_server_names(content_type: str) -> None:
    body = '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Käse 🎙️</title></channel></rss>'
    assert parse_feed("pod", an_answer(body.encode(), content_type))["feed"]["title"] == "Käse 🎙️"
