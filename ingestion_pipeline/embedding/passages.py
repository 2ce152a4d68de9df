"""Passages: what is embedded. Some sentences that belong together, 30 to 60 s where the speech allows."""

from collections.abc import Sequence

from ingestion_pipeline.records import Passage, Segment

RULE = 1
"""Version of the rule below, part of the fingerprint of a video's embeddings."""
WANTED_S, MOST_S, SILENCE_S = 30.0, 60.0, 5.0
"""A passage ends at the first sentence end after 30 s, before 60 s, and at a silence of over 5 s."""
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")


def passages_of(segments: Sequence[Segment]) -> list[Passage]:
    """Return the passages of a transcript, in order; every segment with a text is in just one."""
    passages: list[list[Segment]] = []
    for segment in segments:
        if not segment.text:
            continue
        if not passages or _ends_before(passages[-1], segment):
            passages.append([])
        passages[-1].append(segment)
    return [Passage(part[0].start, part[-1].end, " ".join(said.text for said in part)) for part in passages]


def _ends_before(passage: Sequence[Segment], segment: Segment) -> bool:
    start, last = passage[0].start, passage[-1]
    if segment.start - last.end > SILENCE_S or segment.end - start > MOST_S:
        return True
    return last.end - start >= WANTED_S and last.text.endswith(_SENTENCE_ENDS)
