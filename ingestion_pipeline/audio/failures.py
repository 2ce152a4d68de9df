"""What yt-dlp's errors mean: a table from their text to the kind of error, which decides on retries.

The first row that matches counts. Breakers stand first, since their text can begin with "Video unavailable".
"""

import re
from datetime import UTC, datetime, timedelta

from ingestion_pipeline.errors import (
    Breaker,
    Deferred,
    EnvironmentFault,
    IngestionError,
    NeedsAccess,
    Permanent,
    Transient,
)
from ingestion_pipeline.records import Video

from .network import shown

WAIT = "The whole site is left alone for a while, then tried again; a lower SITE_RATE, PROXY or COOKIES_FILE help."
LATER = "It is tried again by itself, a few times."
DUE = "It is looked at again when it is due."
ACCOUNT = "It needs the cookies of an account that may see it: export them from a browser and set COOKIES_FILE."
LEAVE = "Leave it out of the sources if it does not come back."
RUNTIME = "Install yt-dlp[default,deno], which brings a JavaScript runtime."
FFMPEG = "Install ffmpeg; it is used only with ALLOW_PRIVATE_ADDRESSES=true, as its connections cannot be checked."
BROWSER = "Its site wants a browser's fingerprint, which takes ALLOW_PRIVATE_ADDRESSES=true."

TABLE: tuple[tuple[str, type[IngestionError], str], ...] = (
    (r"rate.?limit|too many requests|HTTP Error 429", Breaker, WAIT),
    (r"not a (ro)?bot|captcha|unusual traffic|automated (queries|requests)", Breaker, WAIT),
    (r"IP (address )?is (likely being )?blocked|IP has been blocked|Cloudflare anti-bot", Breaker, WAIT),
    (r"IP address is unable to access|(blocked|rejected) by server \(\d+\)", Breaker, WAIT),
    (r"javascript runtime|challenge solving failed", EnvironmentFault, RUNTIME),
    (r"ffmpeg (could not be|not) found|ffmpeg is not installed|delegated to ffmpeg", EnvironmentFault, FFMPEG),
    (r"impersonate target", EnvironmentFault, BROWSER),
    (r"netscape format|cookies? file", EnvironmentFault, "Export the cookies in Netscape's format; see COOKIES_FILE."),
    (r"407 Proxy|Proxy Authentication", EnvironmentFault, "See PROXY."),
    (r"No space left|Disk quota exceeded", EnvironmentFault, "Free some space or set DATA_DIR to another disk."),
    (r"CERTIFICATE_VERIFY_FAILED", Transient, "Look at this machine's clock and certificates if it stays so."),
    (r"connect to proxy", Transient, "See PROXY if it stays so."),
    (r"HTTP Error (404|410)", Permanent, LEAVE),
    (r"HTTP Error 451", Permanent, LEAVE),
    (r"HTTP Error 40[12]", NeedsAccess, ACCOUNT),
    (r"HTTP Error (403|408|5\d\d)|temporarily unavailable|error on server.side", Transient, LATER),
    (r"timed? ?out|name resolution|Name or service not known|refused|reset by peer|unreachable", Transient, LATER),
    (r"incomplete ?read|bytes read|Did not get any data blocks|content too short|UNEXPECTED_EOF", Transient, LATER),
    (r"Remote end closed|file is empty|fragment \d+ not found|Downloaded \d+ bytes, expected", Transient, LATER),
    (r"live event will begin|premieres? (in|will begin)|upcoming|scheduled for|will start at", Deferred, DUE),
    (r"not (yet )?started|not yet available|available yet", Deferred, DUE),
    (r"live ?(event|stream)? has ended|processing this (video|upload)|still being processed", Deferred, DUE),
    (r"(not currently|is not) live|\boffline\b", Deferred, DUE),
    (r"copyright|terminated|has been (removed|deleted)|was deleted|removed by", Permanent, LEAVE),
    (r"no longer (available|exists)", Permanent, LEAVE),
    (r"DRM", Permanent, LEAVE),
    (r"(not|n't) (made this video )?available (in|from|at) your|geo.?restrict", Permanent, LEAVE),
    (r"(unavailable|blocked) in (your|this) (country|region)|is available in .{1,60} only", Permanent, LEAVE),
    (r"private (video|track)|is private|members.only|members? (of|on) level|join this channel", NeedsAccess, ACCOUNT),
    (r"confirm your age|age.?(restricted|verified)|adult verification|inappropriate for some", NeedsAccess, ACCOUNT),
    (r"subscri(ber|ption)|supporter.only|premium|registered users|payment|password|purchase", NeedsAccess, ACCOUNT),
    (r"log ?in|logged.in|sign ?in|cookies|authenticat", NeedsAccess, ACCOUNT),
    (r"Unsupported URL", Permanent, "Link to the audio file itself."),
    (r"is not a valid URL|Invalid URL|recording is not available", Permanent, LEAVE),
    (r"(is|has) (most likely )?expired", Permanent, LEAVE),
    (r"video (is )?(unavailable|not available)|does(n't| not) exist|unusual and will be skipped", Permanent, LEAVE),
    (r"no (video|media) (could be )?found|is not a video", Permanent, LEAVE),
)

UNKNOWN = "It is tried again by itself, a few times; if it stays so, upgrade yt-dlp."
_RULES = tuple((re.compile(pattern, re.IGNORECASE), error, remedy) for pattern, error, remedy in TABLE)
_LINK = re.compile(r"https?://\S+")  # its words are the publisher's, not the site's
_NOISE = (
    r"^ERROR: |^\[[\w:+.-]+\] ([^\s:]+: )?|\(caused by .*"
    r"|[;.]?( If you believe this is an error,)? ?please report this issue on .*"
)
_ADVICE = r"|[;.]? ?(Use|See|Also see|For more information)\b[^.;]*(--|https://).*"
_WITHOUT_NOISE = re.compile(_NOISE, re.IGNORECASE | re.DOTALL)
_PLAIN = re.compile(_NOISE + _ADVICE, re.IGNORECASE | re.DOTALL)
_IN = re.compile(r"\bin (\d+) (minute|hour|day)s?\b", re.IGNORECASE)


def classified(video: Video, exception: BaseException, hints: str = "") -> IngestionError:
    """Return the typed error for what yt-dlp raised; `hints` are warnings that say more than the error."""
    text = plain(str(exception))
    kind, remedy = meaning_of(f"{exception} {hints}")
    if text.startswith("Unsupported URL"):
        text = f"{video.media_url} leads to a web page, not to audio"
    what = f"{video.key}: {_LINK.sub(lambda link: shown(link[0]), text)}."
    return Deferred(what, remedy, _due(text)) if kind is Deferred else kind(what, remedy)


def meaning_of(text: str) -> tuple[type[IngestionError], str]:
    """Return the kind of error that yt-dlp's text means, and the remedy; the advice in it counts, links do not."""
    whole = _LINK.sub("", _without(_WITHOUT_NOISE, text))
    return next(((kind, remedy) for rule, kind, remedy in _RULES if rule.search(whole)), (Transient, UNKNOWN))


def plain(text: str) -> str:
    """Return yt-dlp's error text without prefix, causes, and advice for its command line."""
    return _without(_PLAIN, text).rstrip(".")


def _without(pattern: re.Pattern[str], text: str) -> str:
    while (shorter := pattern.sub("", text).strip()) != text:
        text = shorter
    return text


def _due(text: str) -> datetime | None:
    """Return the time that a text such as "This live event will begin in 3 hours" means."""
    match = _IN.search(text)
    return datetime.now(UTC) + timedelta(**{f"{match[2].lower()}s": int(match[1])}) if match else None
