"""A yt-dlp extractor for the site of `support.video_site`: it fails in the ways, and the words, of YouTube's."""

from yt_dlp.extractor.common import InfoExtractor

_SITE = r"https?://127\.0\.0\.1:\d+/testsite"


class TestSiteIE(InfoExtractor):
    """One video."""

    IE_NAME = "testsite"
    _VALID_URL = rf"{_SITE}/(?:watch|shorts)/(?P<id>[\w-]+)$"
    _RETURN_TYPE = "video"

    def _real_extract(self, url: str) -> dict[str, object]:
        video_id = self._match_id(url)
        page = self._download_json(url, video_id)
        if refusal := page.pop("refusal", None):
            self.raise_no_formats(refusal, expected=True, video_id=video_id)
        return {"formats": [], **page, "id": video_id, "webpage_url": url}


class TestSiteChannelIE(InfoExtractor):
    """A channel with tabs, or a playlist; its pages are asked for as they are needed."""

    IE_NAME = "testsite:channel"
    _VALID_URL = rf"{_SITE}/channel/(?P<id>[\w-]+)$"
    _RETURN_TYPE = "playlist"

    def _real_extract(self, url: str) -> dict[str, object]:
        name = self._match_id(url)
        page = self._download_json(url, name)
        tabs = [self.playlist_result(self._entries(tab["first"], name), name, tab["title"]) for tab in page["tabs"]]
        about = {"channel": page["channel"], "channel_id": page["channel_id"]}
        return {**tabs[0], **about} if len(tabs) == 1 else self.playlist_result(tabs, name, page["channel"], **about)

    def _entries(self, page_url: str | None, name: str) -> object:
        while page_url:
            page = self._download_json(page_url, name)
            for entry in page["entries"]:
                yield self.url_result(entry.pop("url"), TestSiteIE, entry.pop("id"), entry.pop("title"), **entry)
            page_url = page["next"]
