"""Words to segments that follow sentences and pauses, whatever chunk they came from."""

import re
from collections.abc import Iterable, Iterator

from ingestion_pipeline.records import Segment, Word

from .chunks import Chunk
from .decoder import Heard

PAUSE_S = 1.0
"""A pause of this length ends a segment."""
LONGEST_S = 20.0
"""Seconds; a longer sentence is cut, at its last comma where it has one."""
_ENDS = re.compile(r"[.!?…。！？।؟۔։][\"'”’»)\]]*$")
_ABBREVIATED = re.compile(r"(?:^|[\s.])(?:[A-HJ-Z]|Mr|Mrs|Ms|Dr|Prof|St|Mt|Jr|Sr|vs|Gen|Col|Capt|Nr|bzw|ca)\.$")
"""Initials and titles; "I" mostly ends a sentence."""
_COMMA = re.compile(r"[,;:，、；：،؛]$")
_Said = tuple[Word, Heard]


def segments_of(heard: Iterable[tuple[Chunk, Heard]], *, words: bool = False) -> Iterator[Segment]:
    """Yield the segments of an audio, given its chunks in order; times (s) in the audio never go back.

    A sentence may begin in one chunk and end in the next; its measures of doubt are those of the first.
    """
    held: list[_Said] = []
    for said in _in_audio(heard):
        if held and said[0].start - held[-1][0].end > PAUSE_S:
            yield _segment(held, words)
            held = []
        held.append(said)
        if _ends_sentence(said[0].text):
            yield _segment(held, words)
            held = []
        elif said[0].end - held[0][0].start > LONGEST_S:
            cut = _best_cut(held)
            yield _segment(held[:cut], words)
            held = held[cut:]
    if held:
        yield _segment(held, words)


def _in_audio(heard: Iterable[tuple[Chunk, Heard]]) -> Iterator[_Said]:
    """Yield each word with its times in the audio, none before the end of the one before."""
    latest = 0.0
    for chunk, found in heard:
        for word in found.words:
            start, end = chunk.span_of(word.start, word.end)
            start = max(start, latest)
            latest = max(start, end)
            yield Word(start, latest, word.text, word.probability), found


def _ends_sentence(text: str) -> bool:
    return bool(_ENDS.search(text)) and not _ABBREVIATED.search(text)


def _best_cut(held: list[_Said]) -> int:
    """Return how many words make a segment: up to the last comma in the second half, else all but the last."""
    most = max(1, len(held) - 1)
    commas = [count for count in range(most, len(held) // 2, -1) if _COMMA.search(held[count - 1][0].text)]
    return commas[0] if commas else most


def _segment(held: list[_Said], words: bool) -> Segment:
    spoken, doubts = [word for word, _ in held], held[0][1]
    return Segment(
        round(spoken[0].start, 3),
        round(spoken[-1].end, 3),
        "".join(word.text for word in spoken).strip(),
        doubts.avg_logprob,
        doubts.compression_ratio,
        doubts.no_speech_prob,
        doubts.temperature,
        [Word(round(word.start, 3), round(word.end, 3), word.text.strip(), word.probability) for word in spoken]
        if words
        else (),
    )
