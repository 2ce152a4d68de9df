from hypothesis import given
from hypothesis import strategies as st

from ingestion_pipeline.sources.keys import episode_id, partition_key


def test_a_youtube_video_keeps_its_own_id() -> None:
    assert partition_key("Youtube", "dQw4w9WgXcQ") == "dQw4w9WgXcQ"


def test_other_keys_are_the_same_for_ever() -> None:
    assert partition_key("Vimeo", "76979871") == "vimeo-39e4d6535480"
    assert partition_key("feed", "tag:example.org,2025:1") == "feed-7133a4a1ed50"


@given(st.text(), st.text())
def test_any_key_is_fit_for_a_partition(extractor: str, source_id: str) -> None:
    key = partition_key(extractor, source_id)
    assert key.isascii()
    assert key.isprintable()
    assert "..." not in key
    assert 12 < len(key) < 30 or key == source_id


@given(st.text(), st.text(), st.text())
def test_different_videos_have_different_keys(extractor: str, one: str, other: str) -> None:
    assert (partition_key(extractor, one) == partition_key(extractor, other)) == (one == other)


def test_a_guid_that_is_unique_anywhere_outlives_the_address_of_its_feed() -> None:
    for guid in ("https://e.org/1", "tag:e.org,2025:1", "urn:x:1", "123e4567-e89b-12d3-a456-426614174000", "a" * 16):
        assert episode_id("https://old.org/f", guid, "x") == episode_id("https://new.org/f", guid, "y")


def test_a_short_guid_belongs_to_its_feed() -> None:
    assert episode_id("https://a.org/f", "17", "x") != episode_id("https://b.org/f", "17", "x")


def test_without_a_guid_the_enclosure_names_the_episode() -> None:
    assert episode_id("https://a.org/f", " ", "https://cdn.org/1.mp3") == "https://cdn.org/1.mp3"
