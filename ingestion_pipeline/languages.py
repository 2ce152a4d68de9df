"""Languages: what sources and files call them, and what Whisper does."""

import re

_CODES = (
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id "
    "is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si "
    "sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh"
)
WHISPER = frozenset(_CODES.split())
"""The codes of large-v3 (openai/whisper, tokenizer.py, `LANGUAGES`)."""
_SAME = {"cmn": "zh", "fil": "tl", "in": "id", "iw": "he", "ji": "yi", "jv": "jw", "mo": "ro", "nb": "no"}
"""Other codes of a language that Whisper knows: former ones, those of a part, and one that Whisper has kept."""


def whisper_language(tag: str | None) -> str | None:
    """Return Whisper's code for a BCP 47 tag such as en-US; None where Whisper has to find the language out itself."""
    primary = re.split("[-_]", (tag or "").strip().lower())[0]
    code = _shortest(primary)
    code = _SAME.get(code, code)
    return code if code in WHISPER else None


def _shortest(code: str) -> str:
    """Return the code of two letters where there is one: eng is en."""
    if len(code) != 3 or code in WHISPER:
        return code
    from yt_dlp.utils import ISO639Utils

    return ISO639Utils.long2short(code) or code
