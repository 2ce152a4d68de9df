"""yt-dlp's real error texts (collected from its source and its issues) and the kind of error that each means."""

from datetime import UTC, datetime, timedelta

import pytest

from ingestion_pipeline.audio.failures import classified, plain
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

VIDEO = Video("yt-1", "talks", "youtube", "1", "https://example.org/1", "https://example.org/1", "A talk")

HINT = "Use --cookies-from-browser or --cookies for the authentication. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ"
LIMITED = "The current session has been rate-limited by YouTube for up to an hour. It is recommended to use `-t sleep`"

BUG = "; please report this issue on  https://github.com/yt-dlp/yt-dlp/issues?q= , filling out the template."

TEXTS: dict[type[IngestionError], list[str]] = {
    Breaker: [
        f"[youtube] x: Video unavailable. This content isn't available, try again later. {LIMITED}",
        f"[youtube] x: Sign in to confirm you\u2019re not a bot. {HINT}",
        "[youtube] x: Video unavailable. YouTube is requiring a captcha challenge before playback",
        "[youtube] x: All player responses are invalid. Your IP is likely being blocked by Youtube",
        "unable to download video data: HTTP Error 429: Too Many Requests",
        "[generic] Got HTTP Error 403 caused by Cloudflare anti-bot challenge; try again with  --extractor-args x",
        "[tiktok] 1: Your IP address is blocked from accessing this post",
        "[Reddit] x: Your IP address is unable to access the Reddit API",
        "[BiliBili] x: Request is blocked by server (412), please wait and try later.",
        "[BiliBili] x: Request is rejected by server (352)",
        f"[Instagram] x: Requested content is not available, rate-limit reached or login required. {HINT}",
        "[x] 1: You have exceeded the rate limit. Try again later",
    ],
    EnvironmentFault: [
        "m3u8 download detected but ffmpeg could not be found. Please install",
        "You have requested merging of multiple formats but ffmpeg is not installed. Aborting due to --abort-on-error",
        'Impersonate target "chrome" is not available. See  --list-impersonate-targets  for available targets.',
        "Cookies file must be Netscape formatted, not JSON. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ",
        "'cookies.txt' does not look like a Netscape format cookies file",
        "unable to open for writing: [Errno 28] No space left on device: 'x.part'",
        "[generic] Unable to download webpage: Tunnel connection failed: 407 Proxy Authentication Required",
    ],
    Transient: [
        "unable to download video data: HTTP Error 403: Forbidden",
        "[generic] Unable to download webpage: HTTP Error 503: Service Unavailable (caused by <HTTPError 503>)",
        "[generic] Unable to download webpage: [Errno -3] Temporary failure in name resolution (caused by x)",
        "[generic] Unable to download webpage: [Errno 111] Connection refused (caused by TransportError('...'))",
        "[youtube] x: Unable to download API page: The read operation timed out",
        "Did not get any data blocks",
        "[download] Got error: 2097152 bytes read, 3145728 more expected. Giving up after 3 retries",
        "[youtube] x: Requested format is not available. Use --list-formats for a list of available formats",
        "[generic] Unable to download webpage: [SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred",
        "[generic] Unable to download webpage: Remote end closed connection without response (caused by x)",
        "The downloaded file is empty",
        "fragment 3 not found, unable to continue",
        "content too short (expected 3145728 bytes and served 2097152)",
        f"[youtube] x: Failed to extract any player response{BUG}",
        "[youtube] x: The following content is not available on this app.. Watch on the latest version of YouTube.",
        "[niconico] x: Service temporarily unavailable",
        "a text that nobody has seen before",
    ],
    Deferred: [
        "[youtube] x: Premieres in 3 hours",
        "[youtube] x: This live event will begin in a few moments.",
        "[youtube] x: This live event has ended.",
        "[youtube] x: We're processing this video. Check back later.",
        "[twitch:stream] x: The channel is not currently live",
        "[youtube] x: Premiere will begin shortly",
        "[youtube] x: Offline.",
        "[x] 1: Stream is offline; scheduled for 2027-01-01 10:00:00",
        "[x] 1: This event has not started yet",
        "[twitter:spaces] x: Twitter Space not started yet",
        "[x] 1: This video is not available yet. Release date: 2027-01-01",
        "[x] 1: This livestream has ended",
    ],
    NeedsAccess: [
        f"[youtube] x: Private video. Sign in if you've been granted access to this video. {HINT}",
        "[youtube] x: Video unavailable. This video is private",
        f"[youtube] x: Sign in to confirm your age. This video may be inappropriate for some users. {HINT}",
        "[youtube] x: Join this channel to get access to members-only content like this video, and other perks.",
        "[youtube] x: This video is available to this channel's members on level: Gold (or any higher level).",
        "[vimeo] 1: This video is protected by a password, use the --video-password option",
        f"[x] 1: This video is only available for registered users. {HINT}",
        f"[twitter] 1: NSFW tweet requires authentication. {HINT}",
        f"[x] 1: This video is locked. {HINT}",
        "[x] 1: Adult verification is required for this stream",
        "[patreon] 1: This is a supporter-only video: x",
        "[youtube] x: This video is only available to Music Premium members",
        "[youtube] x: This video requires payment to watch",
        "[soundcloud] x: This track is private",
    ],
    Permanent: [
        "[generic] Unable to download webpage: HTTP Error 404: Not Found (caused by <HTTPError 404: Not Found>)",
        "[generic] Unable to download webpage: HTTP Error 410: Gone (caused by <HTTPError 410: Gone>)",
        "[youtube] x: Video unavailable",
        "[youtube] x: Video unavailable. This video has been removed by the uploader",
        "[youtube] x: This video is no longer available because the YouTube account has been terminated.",
        "[youtube] x: Video unavailable. The uploader has not made this video available in your country",
        "[youtube] x: Video unavailable. It contains content from X, who has blocked it on copyright grounds",
        "[youtube] x: This video is DRM protected",
        "[youtube] x: This live stream recording is not available.",
        "Unsupported URL: https://example.org/1",
        "[youtube] x: Video unavailable. This video has been removed for violating YouTube's Terms of Service",
        "[x] 1: This song is blocked in this region",
        "[mixcloud] x: Track unavailable in your country due to licensing restrictions",
        "[x] 1: This video is available in Taiwan only",
        "[x] 1: This video is not available from your location due to geo restriction. You might want to use a VPN",
        "[x] 1: Content not found; it has most likely expired",
        "[twitter] 1: No video could be found in this tweet",
    ],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in TEXTS.items() for text in texts])
def test_a_text_means_one_kind_of_error(kind: type[IngestionError], text: str) -> None:
    error = classified(VIDEO, Exception(f"ERROR: {text}"))
    assert type(error) is kind
    assert error.what.startswith("yt-1: ")
    assert error.remedy


@pytest.mark.parametrize("word", ["captcha", "rate-limit", "drm", "premium"])
def test_the_words_of_a_link_or_an_id_do_not_count(word: str) -> None:
    assert type(classified(VIDEO, Exception(f"ERROR: Unsupported URL: https://example.org/{word}.html"))) is Permanent
    assert type(classified(VIDEO, Exception(f"ERROR: [youtube] x{word}x: Did not get any data blocks"))) is Transient


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("Premieres in 3 hours", timedelta(hours=3)),
        ("This live event will begin in 5 minutes.", timedelta(minutes=5)),
    ],
)
def test_what_is_upcoming_is_due_when_the_text_says(text: str, wait: timedelta) -> None:
    before = datetime.now(UTC)
    error = classified(VIDEO, Exception(f"ERROR: [youtube] x: {text}"))
    assert isinstance(error, Deferred)
    assert error.due is not None
    assert before + wait <= error.due <= datetime.now(UTC) + wait


def test_a_text_without_a_time_is_due_at_no_time() -> None:
    error = classified(VIDEO, Exception("ERROR: [youtube] x: This live event will begin in a few moments."))
    assert isinstance(error, Deferred)
    assert error.due is None


def test_missing_formats_are_the_fault_of_a_missing_runtime_when_a_warning_says_so() -> None:
    warning = "No supported JavaScript runtime could be found. Only deno is enabled by default"
    error = classified(VIDEO, Exception("ERROR: [youtube] x: Requested format is not available"), warning)
    assert type(error) is EnvironmentFault
    assert "deno" in error.remedy


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("[youtube] dQw4w9WgXcQ: Video unavailable", "Video unavailable"),
        ("[generic] Unable to load: HTTP Error 404: Gone (caused by <x>)", "Unable to load: HTTP Error 404: Gone"),
        (f"[x] Failed to parse{BUG}", "Failed to parse"),
        (f"[youtube] x: Sign in to confirm your age. {HINT}", "Sign in to confirm your age"),
    ],
)
def test_prefixes_and_command_line_advice_are_left_out(text: str, left: str) -> None:
    assert plain(f"ERROR: {text}") == left


def test_a_web_page_is_called_one() -> None:
    error = classified(VIDEO, Exception("ERROR: Unsupported URL: https://example.org/1"))
    assert "https://example.org/1 leads to a web page, not to audio" in str(error)
