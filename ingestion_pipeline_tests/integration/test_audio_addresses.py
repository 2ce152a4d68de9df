"""Where a download may lead, what it shows of itself, and through whom it asks."""

from pathlib import Path

import pytest

from ingestion_pipeline.audio.ytdlp import DIRECT, Access
from ingestion_pipeline.errors import EnvironmentFault, Permanent, PrivateAddress
from ingestion_pipeline_tests.support.downloads import OPUS, SHA256, episode, fetch, left_in
from ingestion_pipeline_tests.support.web import Page, Site, serving


def test_private_addresses_are_refused_unless_they_are_allowed(site: Site, tmp_path: Path) -> None:
    url = site.add("/1.opus", OPUS, "audio/ogg")
    with pytest.raises(PrivateAddress, match=r"pod-1: .*127\.0\.0\.1.*ALLOW_PRIVATE_ADDRESSES"):
        fetch(episode(url), tmp_path, allow_private=False)
    assert site.requests == []
    assert left_in(tmp_path) == []
    assert fetch(episode(url), tmp_path).sha256 == SHA256


def test_a_redirect_into_the_own_network_is_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first server is reachable because it is the proxy; what it answers leads to the second, which is not."""
    with serving() as inner:
        target = inner.add("/1.opus", OPUS, "audio/ogg")
        monkeypatch.setenv("http_proxy", site.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        site.pages["http://example.org/1.opus"] = site.pages["/1.opus"] = _redirect(target)
        with pytest.raises(PrivateAddress, match=r"127\.0\.0\.1"):
            fetch(episode("http://example.org/1.opus"), tmp_path, allow_private=False)
        assert inner.requests == []
    assert site.requests != []


COOKIES = "# Netscape HTTP Cookie File\n{host}\tFALSE\t/\tFALSE\t4000000000\tsession\tsecret\n"


def test_cookies_are_sent_and_their_file_is_never_written_to(site: Site, tmp_path: Path) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.write_text(COOKIES.format(host="127.0.0.1"))
    cookies.chmod(0o400)
    url = site.add("/1.opus", OPUS, "audio/ogg", headers={"Set-Cookie": "other=1; Max-Age=1000"})
    fetch(episode(url), tmp_path / "audio", access=Access(cookies))
    assert "session=secret" in site.headers[0]["Cookie"]
    assert cookies.read_text() == COOKIES.format(host="127.0.0.1")
    assert left_in(tmp_path) == ["audio/pod-1.opus", "cookies.txt"]


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b'[{"name": 1}]', "Netscape"), (b"\xff", "no text")]
)
def test_a_bad_cookie_file_is_called_so(site: Site, tmp_path: Path, content: bytes | None, words: str) -> None:
    cookies = tmp_path / "cookies.txt"
    if content is not None:
        cookies.write_bytes(content)
    with pytest.raises(EnvironmentFault, match=f"{words}.*COOKIES_FILE"):
        fetch(episode(site.add("/1.opus", OPUS)), tmp_path / "audio", access=Access(cookies))
    assert site.requests == []


def test_a_proxy_of_the_own_network_is_used_while_links_into_it_are_refused(site: Site, tmp_path: Path) -> None:
    site.pages["http://example.org/1.opus"] = Page(OPUS, "audio/ogg")
    access = Access(proxy=site.url)
    audio = fetch(episode("http://example.org/1.opus"), tmp_path, allow_private=False, access=access)
    assert audio.sha256 == SHA256
    with serving() as inner, pytest.raises(PrivateAddress):
        fetch(episode(inner.add("/1.opus", OPUS)), tmp_path, allow_private=False, access=DIRECT)


def _redirect(target: str) -> Page:
    return Page(b"", "text/plain", 302, {"Location": target})


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.mp3", "data:audio/ogg,abc", "a.mp3", ""])
def test_only_web_links_are_followed(tmp_path: Path, url: str) -> None:
    with pytest.raises(Permanent, match="is not an http or https link"):
        fetch(episode(url), tmp_path)
