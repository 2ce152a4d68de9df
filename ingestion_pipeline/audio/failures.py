"""What yt-dlp's errors mean: a table from their text to the kind of error, which decides on retries.

The first row that matches counts. Breakers stand first, since their text can begin with "Video unavailable".
"""

import re

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

WAIT = "The whole site is left alone for a while; fewer IO_WORKERS or another network address help."
LATER = "Materialize it again later, or let the next `ingest run` try it."
DUE = "It is looked at again when it is due."
ACCOUNT = "It needs the cookies of an account that may see it."
LEAVE = "Leave it out of the sources if it does not come back."
RUNTIME = "Install yt-dlp[default,deno], which brings a JavaScript runtime."
FFMPEG = "Install ffmpeg; it is used only with ALLOW_PRIVATE_ADDRESSES=true, as its connections cannot be checked."

TABLE: tuple[tuple[str, type[IngestionError], str], ...] = (
    (r"rate.?limit|too many requests|HTTP Error 429", Breaker, WAIT),
    (r"not a (ro)?bot|captcha|unusual traffic|automated (queries|requests)", Breaker, WAIT),
    (r"IP (address )?is (likely being )?blocked|IP has been blocked|Cloudflare anti-bot", Breaker, WAIT),
    (r"javascript runtime|challenge solving failed", EnvironmentFault, RUNTIME),
    (r"ffmpeg (could not be|not) found|ffmpeg is not installed|delegated to ffmpeg", EnvironmentFault, FFMPEG),
    (r"CERTIFICATE_VERIFY_FAILED", Transient, "Look at this machine's clock and certificates if it stays so."),
    (r"HTTP Error (404|410)", Permanent, LEAVE),
    (r"HTTP Error 451", Permanent, LEAVE),
    (r"HTTP Error 401", NeedsAccess, ACCOUNT),
    (r"HTTP Error (403|408|5\d\d)", Transient, LATER),
    (r"timed? ?out|name resolution|Name or service not known|refused|reset by peer|unreachable", Transient, LATER),
    (r"incomplete ?read|bytes read|Did not get any data blocks|content too short", Transient, LATER),
    (r"live event will begin|premieres? (in|will begin)|upcoming|scheduled for", Deferred, DUE),
    (r"live event has ended|processing this (video|upload)|still being processed", Deferred, DUE),
    (r"not currently live|(is|are) (currently )?offline", Deferred, DUE),
    (r"copyright|terminated|has been (removed|deleted)|was deleted|removed by|no longer available", Permanent, LEAVE),
    (r"DRM", Permanent, LEAVE),
    (r"(not|n't) (made this video )?available (in|from|at) your|geo.?restrict", Permanent, LEAVE),
    (r"private (video|track)|is private|members.only|members? (of|on) level|join this channel", NeedsAccess, ACCOUNT),
    (r"confirm your age|age.?restricted|inappropriate for some users", NeedsAccess, ACCOUNT),
    (r"(subscribers?|subscription|premium|registered users|payment|password|purchase)", NeedsAccess, ACCOUNT),
    (r"log ?in|sign ?in|cookies", NeedsAccess, ACCOUNT),
    (r"Unsupported URL", Permanent, "Link to the audio file itself."),
    (r"is not a valid URL|Invalid URL|recording is not available", Permanent, LEAVE),
    (r"video (is )?unavailable|does(n't| not) exist|unusual and will be skipped", Permanent, LEAVE),
)

UNKNOWN = "If it stays so, upgrade yt-dlp."
_RULES = tuple((re.compile(pattern, re.IGNORECASE), error, remedy) for pattern, error, remedy in TABLE)
_LINK = re.compile(r"https?://\S+")  # its words are the publisher's, not the site's
_NOISE = re.compile(
    r"^ERROR: |^\[[\w:+.-]+\] ([^\s:]+: )?|\(caused by .*"
    r"|[;.]?( If you believe this is an error,)? ?please report this issue on .*"
    r"|[;.]? ?(Use|See|Also see|For more information)\b[^.;]*(--|https://).*",
    re.IGNORECASE | re.DOTALL,
)


def classified(video: Video, exception: BaseException, hints: str = "") -> IngestionError:
    """Return the typed error for what yt-dlp raised; `hints` are warnings that say more than the error."""
    text = plain(str(exception))
    whole = f"{_LINK.sub('', text)} {hints}"
    kind, remedy = next(((kind, remedy) for rule, kind, remedy in _RULES if rule.search(whole)), (Transient, UNKNOWN))
    if text.startswith("Unsupported URL"):
        text = f"{video.media_url} leads to a web page, not to audio"
    return kind(f"{video.key}: {text}.", remedy)


def plain(text: str) -> str:
    """Return yt-dlp's error text without prefix, causes, and advice for its command line."""
    while (shorter := _NOISE.sub("", text).strip()) != text:
        text = shorter
    return text.rstrip(".")
