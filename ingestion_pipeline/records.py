"""What passes between the stages: frozen records, times in seconds from the start of the audio."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

LOCAL = "folder"
"""The extractor of local files: used where they are, never copied, never deleted."""


@dataclass(frozen=True)
class Video:
    """A catalogue entry: all that the later stages need of a video or episode.

    `key` is the partition key; `media_url` is what is downloaded (a path for a local file), `page_url` what a person
    opens. `duration_s` and `published_at` are None where the listing does not say.
    """

    key: str
    source: str
    extractor: str
    source_id: str
    media_url: str
    page_url: str
    title: str
    channel: str = ""
    published_at: datetime | None = None
    duration_s: float | None = None
    language: str | None = None
    live_status: str | None = None


@dataclass(frozen=True)
class Audio:
    """An audio file on disk; `sample_rate` in Hz, `size` in bytes, `language` that of the chosen track if known.

    `published_at` is when the recording was published, where its page said so while it was fetched.
    """

    path: Path
    sha256: str
    size: int
    duration_s: float
    codec: str
    sample_rate: int
    channels: int
    language: str | None = None
    published_at: datetime | None = None


@dataclass(frozen=True)
class Word:
    """One word with the mark that follows it, and how sure the recogniser is of it (0 to 1)."""

    start: float
    end: float
    text: str
    probability: float = 0.0


@dataclass(frozen=True)
class Segment:
    """One stretch of recognised speech, at best a sentence, with the recogniser's own measures of doubt.

    `words` are there only where they were asked for.
    """

    start: float
    end: float
    text: str
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    temperature: float = 0.0
    words: Sequence[Word] = ()


@dataclass(frozen=True)
class Transcript:
    """What was said in one video; `fingerprint` names audio, model and parameters that it came from.

    Of the `speech_s` in it, `left_out_s` could not be recognised; `decoded_again` chunks took a second try.
    """

    language: str
    duration_s: float
    speech_s: float
    segments: Sequence[Segment]
    model: str
    fingerprint: str = ""
    decoded_again: int = 0
    left_out_s: float = 0.0

    @property
    def text(self) -> str:
        """The whole text, one segment after the other."""
        return " ".join(segment.text for segment in self.segments)


@dataclass(frozen=True)
class Passage:
    """A searchable stretch of speech: some sentences, `start` to `end` (s)."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Hit:
    """A search result: the passage found, and the sentence in it that answers best.

    `score` is the cosine similarity of query and passage, at most 1; words count as well, so that the best hit need not
    have the highest. `link` opens the video at the sentence; `marked` is its text with the words of the query between
    two stars.
    """

    video: Video
    passage: Passage
    sentence: Segment
    score: float
    link: str
    marked: str
