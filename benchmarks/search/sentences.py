"""Sentences of 12 to 30 words as somebody might say them, and questions about them: the same number, the same text."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import yaml

_WORDS = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text())
SHORTEST, LONGEST = 12, 30
"""Words in a sentence."""
PER_VIDEO = 200
"""Sentences that stay, most of the time, with one topic."""
_OTHER_TOPIC = 0.2


def sentence(number: int) -> str:
    """Return a sentence."""
    random = Random(f"sentence {number}")
    topic = _topic_of(number // PER_VIDEO, random)
    words = [*_maybe(random, 0.3, _WORDS["openings"]), *_clause(topic, random)]
    while len(" ".join(words).split()) < SHORTEST or random.random() < 0.4:
        words += [random.choice(_WORDS["links"]), *_clause(topic, random)]
    return _spoken(" ".join(words).split()[:LONGEST])


def question(number: int) -> str:
    """Return what somebody types to find such a sentence: 3 to 6 words."""
    random = Random(f"question {number}")
    topic = _Topic(random.choice(_WORDS["topics"]))
    words = [random.choice(topic.adjectives), *random.sample(topic.things, 2), random.choice(topic.people)]
    return " ".join([*words, *_maybe(random, 0.5, topic.verbs)][random.choice((0, 1)) :])


class _Topic:
    """What a video is about: people, things, what they do with them, and how those are."""

    def __init__(self, words: dict[str, str]) -> None:
        self.people, self.things, self.verbs, self.adjectives = (
            words[kind].split() for kind in ("people", "things", "verbs", "adjectives")
        )


def _topic_of(video: int, random: Random) -> _Topic:
    topics = _WORDS["topics"]
    return _Topic(random.choice(topics) if random.random() < _OTHER_TOPIC else topics[video % len(topics)])


def _clause(topic: _Topic, random: Random) -> list[str]:
    """Return who did what to which things, perhaps where and when."""
    return [
        f"the {random.choice(topic.people)}",
        random.choice(topic.verbs),
        random.choice(["the", "a", "their", random.choice(_WORDS["numbers"].split())]),
        *_maybe(random, 0.6, topic.adjectives),
        random.choice(topic.things),
        *_maybe(random, 0.3, [f"with the {random.choice(topic.things)}"]),
        *_maybe(random, 0.4, _WORDS["places"]),
        *_maybe(random, 0.4, _WORDS["times"]),
    ]


def _maybe(random: Random, chance: float, words: Sequence[str]) -> list[str]:
    return [random.choice(words)] if random.random() < chance else []


def _spoken(words: list[str]) -> str:
    text = " ".join(words)
    return f"{text[0].upper()}{text[1:]}."
