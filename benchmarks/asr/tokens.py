"""A tokenizer with made-up text pieces, and Whisper's special tokens under their true numbers."""

from collections.abc import Sequence
from itertools import islice, product
from string import ascii_lowercase

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

PIECES = 50_257
"""Text tokens of every multilingual Whisper; <|endoftext|> is the next number."""
END = PIECES
TIMES = 1501
"""Time tokens, the last of all."""
BLANK = "Ġ"
"""A space alone, in the spelling of byte-level BPE."""
_TASKS = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")


def made_up_tokenizer(languages: Sequence[str]) -> Tokenizer:
    """Return a tokenizer of single bytes, words of four letters, and the special tokens in Whisper's order."""
    tokenizer = Tokenizer(models.BPE(vocab={piece: number for number, piece in enumerate(_pieces())}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = ("endoftext", "startoftranscript", *languages, *_TASKS)
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True) for name in names])
    return tokenizer


def _pieces() -> list[str]:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = (BLANK + "".join(word) for word in product(ascii_lowercase, repeat=4))
    # The multilingual vocabularies end with an empty piece; by it CTranslate2 tells them from the English ones.
    return [*letters, *islice(words, PIECES - 1 - len(letters)), ""]
