"""Passages: what is embedded. Some sentences that belong together, 30 to 60 s where the speech allows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ingestion_pipeline.records import Passage, Segment

RULE = 2
"""Version of the rule below, part of the fingerprint of a video's embeddings."""
WANTED_S, MOST_S, SILENCE_S = 30.0, 60.0, 5.0
"""A passage ends at the first sentence end after 30 s, before 60 s, and at a silence of over 5 s."""
MOST_TOKENS = 250
"""Of the 256 that MiniLM reads (its `max_seq_length`), two of which mark begin and end."""
_WITHOUT_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
"""Thai, Lao, Burmese, Khmer, Kana, Han; and Hangul, which has spaces, and tokens as short."""
_TOKEN = re.compile(rf"[{_WITHOUT_SPACES}]|[^\s{_WITHOUT_SPACES}]{{1,5}}")
"""In place of a tokenizer, rather too many than too few: five letters of a word, or one character of such a script."""
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")


def passages_of(segments: Sequence[Segment]) -> list[Passage]:
    """Return the passages of a transcript, in order; every text is in one.

    A passage begins with the last sentence of the one before, unless there is a silence between them or no room. None
    is longer than 60 s, but for a single segment that is.
    """
    parts = [part for stretch in _stretches(segments) for part in _parts(stretch)]
    return [Passage(part[0].start, part[-1].end, _text(part)) for part in parts]


def tokens_in(text: str) -> int:
    """Return about how many tokens a text has, without a tokenizer."""
    return len(_TOKEN.findall(text))


def _stretches(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Yield what is said between two silences, in pieces that fit a passage."""
    stretch: list[Segment] = []
    for segment in segments:
        if stretch and segment.start - stretch[-1].end > SILENCE_S:
            yield stretch
            stretch = []
        stretch.extend(_pieces(segment) if segment.text.strip() else ())
    if stretch:
        yield stretch


def _parts(stretch: Sequence[Segment]) -> list[list[Segment]]:
    """Return the passages of a stretch; what is left over at its end goes to the last one if there is room."""
    parts = [[stretch[0]]]
    for piece in stretch[1:]:
        if _complete(parts[-1]) or not _room([*parts[-1], piece]):
            last = parts[-1][-1]
            parts.append([last] if _room([last, piece]) else [])
        parts[-1].append(piece)
    if len(parts) > 1 and parts[-1][-1].end - parts[-1][0].start < WANTED_S:
        rest = [piece for piece in parts[-1] if piece is not parts[-2][-1]]
        if _room([*parts[-2], *rest]):
            parts[-2:] = [[*parts[-2], *rest]]
    return parts


def _complete(passage: Sequence[Segment]) -> bool:
    long_enough = passage[-1].end - passage[0].start >= WANTED_S
    return long_enough and _SENTENCE_END.search(passage[-1].text) is not None


def _room(passage: Sequence[Segment]) -> bool:
    return passage[-1].end - passage[0].start <= MOST_S and not _too_long(_text(passage))


def _too_long(text: str) -> bool:
    # No token is shorter than a character: most texts need no count.
    return len(text) > MOST_TOKENS and tokens_in(text) > MOST_TOKENS


def _text(passage: Sequence[Segment]) -> str:
    return " ".join(piece.text for piece in passage)


def _pieces(segment: Segment) -> Iterator[Segment]:
    """Yield a segment, in parts where it has too many tokens; where a part ends (s) is a guess by its length."""
    while _too_long(segment.text):
        most = list(_TOKEN.finditer(segment.text))[MOST_TOKENS].start()
        space = segment.text.rfind(" ", 1, most + 1)
        cut = space if space > most // 2 else most
        at = segment.start + (segment.end - segment.start) * cut / len(segment.text)
        yield replace(segment, end=at, text=segment.text[:cut].strip())
        segment = replace(segment, start=at, text=segment.text[cut:].strip())
    yield segment
