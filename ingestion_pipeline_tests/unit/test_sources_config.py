from datetime import date
from pathlib import Path

import pytest

from ingestion_pipeline.errors import BadSettings
from ingestion_pipeline.sources.config import Source, read_sources

EXAMPLE = Path(__file__).parents[2] / "sources.example.yaml"


def written(folder: Path, text: str) -> Path:
    file = folder / "sources.yaml"
    file.write_text(text)
    return file


def test_the_example_holds_one_source_of_each_kind() -> None:
    feed, channel, folder = read_sources(EXAMPLE)
    assert feed == Source(name="my-podcast", feed="https://example.org/podcast.xml", newest=50)
    assert (channel.url, channel.since) == ("https://www.youtube.com/@example", date(2025, 1, 1))
    assert (channel.shorts, channel.live, channel.language) == (False, False, "en")
    assert folder.folder == Path.home() / "talks"


def test_a_relative_folder_is_relative_to_the_file(tmp_path: Path) -> None:
    [source] = read_sources(written(tmp_path, "sources: [{name: a, folder: talks}]"))
    assert source.folder == tmp_path.resolve() / "talks"


def test_a_language_becomes_the_code_of_whisper(tmp_path: Path) -> None:
    [source] = read_sources(written(tmp_path, "sources: [{name: a, folder: talks, language: nb-NO}]"))
    assert source.language == "no"


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"sources\.yaml cannot be read: No such file.*Copy sources\.example\.yaml"):
        read_sources(tmp_path / "sources.yaml")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSettings, match="not text in UTF-8"):
        read_sources(file)


FEED = "sources:\n  - name: a\n    feed: https://e.org/f\n"
MISTAKES = {
    "syntax": ("sources:\n  - name: [a\n  - b: c\n", 3, "expected"),
    "empty": ("", 1, "keys with values"),
    "no_list": ("sources:\n  name: a\n", 2, "must be a list"),
    "no_sources": ("source: []\n", 1, "unknown key source"),
    "not_a_mapping": ("sources:\n  - just text\n", 2, "keys with values"),
    "unknown_key": (FEED + "    colour: red\n", 4, "unknown key colour"),
    "key_twice": (FEED + "    feed: https://e.org/g\n", 4, "feed is there twice"),
    "no_name": ("sources:\n\n  - feed: https://e.org/f\n", 3, "name is missing"),
    "bad_name": ("sources:\n  - feed: https://e.org/f\n    name: a b\n", 3, "name: string should match"),
    "wrong_type": (FEED + "    newest: many\n", 4, "newest: input should be"),
    "not_a_day": (FEED + "    since: 2025-13-01\n", 4, "month must be in"),
    "text_for_a_switch": (FEED + "    live: sometimes\n", 4, "live: input"),
    "negative": (FEED + "    min_duration: -1\n", 4, "min_duration: input"),
    "no_language": (FEED + "    language: klingon\n", 4, "klingon is not a language that Whisper knows"),
    "bad_pattern": (FEED + "    title: '(a'\n", 4, "not a regular expression"),
    "same_name": (FEED + "  - url: https://e.org/g\n    name: a\n", 5, "name a is there twice"),
    "two_places": (FEED + "    folder: x\n", 2, "source a needs exactly one of feed, url"),
    "no_place": ("sources:\n  - name: b\n", 2, "source b needs exactly one of feed, url and folder"),
    "ftp": ("sources:\n  - name: a\n    feed: ftp://e.org/f\n", 3, "feed: ftp://e.org/f is not an http"),
    "file": ("sources:\n  - name: a\n    url: file:///etc/passwd\n", 3, "is not an http or https address"),
    "password": ("sources:\n  - name: a\n    feed: https://me:secret@e.org/f\n", 3, "may not hold a user name"),
    "no_such_home": ("sources:\n  - name: a\n    folder: ~nobody-here/x\n", 2, "folder ~nobody-here/x"),
    "python_object": ("sources:\n  - name: !!python/name:os.system\n    url: https://e.org/f\n", 2, "constructor"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, mistake: str) -> None:
    text, line, words = MISTAKES[mistake]
    with pytest.raises(BadSettings) as caught:
        read_sources(written(tmp_path, text))
    assert caught.value.what.startswith(f"sources.yaml line {line}: ")
    assert words in caught.value.what
    assert "secret" not in str(caught.value)
