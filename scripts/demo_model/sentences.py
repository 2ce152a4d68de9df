"""Sentences of a small grammar, and the vocabulary that they use."""

import random
import re
from collections.abc import Sequence
from pathlib import Path

GRAMMAR = Path(__file__).with_name("grammar.txt")
_SLOT = re.compile(r"{(\w+)}")
_DEEPEST = 12
"""Nesting at which a rule takes its shortest alternative, so that every sentence ends."""


class Grammar:
    """Rules of `grammar.txt`; `sentence` draws one sentence, `scrambled` one of the same words in no order."""

    def __init__(self, path: Path = GRAMMAR) -> None:
        self.rules = _read_rules(path)
        self.words = sorted(
            {word for rule in self.rules.values() for text in rule for word in words_of(_SLOT.sub(" ", text))}
        )

    def sentence(self, rng: random.Random) -> str:
        """Return one sentence of at most 15 words, first letter a capital, with its closing mark."""
        while True:
            text = self._expand("sentence", rng, depth=0)
            if len(words_of(text)) <= 15:
                return _capitalized(_with_articles(text))

    def scrambled(self, rng: random.Random) -> str:
        """Return three to nine words in any order: the model must hear them, grammar gives no hint."""
        return _capitalized(" ".join(rng.choices(self.words, k=rng.randint(3, 9))) + ".")

    def crossed(self, rng: random.Random, others: Sequence[str]) -> str:
        """Return the beginning of one sentence and the end of another, of the grammar or of `others`.

        At the seam any word may follow any other, in a sentence that is spoken like one.
        """
        first, second = (
            rng.choice(others) if rng.random() < 0.4 else self.sentence(rng).rstrip(".?") + "." for _ in range(2)
        )
        beginning, end = first.rstrip(".?").split(), second.split()
        seam = rng.randint(1, min(9, len(beginning))), rng.randint(max(0, len(end) - 8), len(end) - 1)
        return _capitalized(" ".join([*beginning[: seam[0]], *map(_uncapitalized, end[seam[1] :])]))

    def _expand(self, rule: str, rng: random.Random, depth: int) -> str:
        alternatives = self.rules[rule]
        text = min(alternatives, key=len) if depth > _DEEPEST else rng.choice(alternatives)
        return _SLOT.sub(lambda slot: self._expand(slot[1], rng, depth + 1), text)


def words_of(text: str) -> list[str]:
    """Return the words of a text in small letters, without marks: the form in which errors are counted."""
    return re.findall(r"[a-z]+", text.lower())


def _read_rules(path: Path) -> dict[str, list[str]]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\n\s+\|", " |", "\n".join(lines))
    pairs = (line.split(": ", 1) for line in joined.splitlines())
    return {name: [alternative.strip() for alternative in body.split(" | ")] for name, body in pairs}


def _with_articles(text: str) -> str:
    return re.sub(r"\ba (?=[aeio])(?!one\b)", "an ", text)


def _uncapitalized(word: str) -> str:
    return word if word == "I" else word.lower()


def _capitalized(text: str) -> str:
    return re.sub(r"\bi\b", "I", text[0].upper() + text[1:])
