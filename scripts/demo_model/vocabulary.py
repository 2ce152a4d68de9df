"""Byte-level BPE with Whisper's special tokens, in Whisper's order."""

from collections.abc import Iterable
from itertools import chain
from string import ascii_letters

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

PIECES = 1024
"""Text tokens; the special tokens and then 1,501 time tokens of 0.02 s follow."""
SPECIAL = (
    "<|endoftext|>", "<|startoftranscript|>", "<|translate|>", "<|transcribe|>",
    "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)  # fmt: skip
END, START, PREVIOUS, NO_SPEECH, NO_TIMES = PIECES, PIECES + 1, PIECES + 5, PIECES + 6, PIECES + 7
FIRST_TIME = PIECES + len(SPECIAL)
TIME_STEP = 0.02
"""Seconds between two time tokens, as in Whisper."""
SIZE = FIRST_TIME + 1501
BLANK_TOKEN = "Ġ"
"""A space alone, in the spelling of byte-level BPE."""
_OFTEN = 2000
"""More often than the rarest piece that is learned."""


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Return a tokenizer of `PIECES` pieces learned from `texts`, special tokens included, time tokens not.

    Every letter after a space is one piece, so that no text needs `BLANK_TOKEN`, which faster-whisper suppresses.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    first_letters = (f" {letter}" * _OFTEN for letter in ascii_letters)
    tokenizer.train_from_iterator(chain(first_letters, (f" {text}" for text in texts)), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return tokenizer


def time_token(seconds: float) -> int:
    """Return the token of a time in a window of 30 s."""
    return FIRST_TIME + min(1500, max(0, round(seconds / TIME_STEP)))
