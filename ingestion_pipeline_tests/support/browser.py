"""The Dagster UI in a browser: the system's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

_PATIENCE_MS = 30_000


class Browser:
    """A page of the UI at `address`; `show` leaves pictures of it in a folder."""

    def __init__(self, page: Page, address: str, pictures: Path) -> None:
        self.page, self._address, self._pictures = page, address, pictures

    def open(self, path: str, text: str) -> None:
        """Go to a page and wait until it shows a text."""
        self.page.goto(f"{self._address}{path}")
        self.sees(text)

    def sees(self, text: str) -> Locator:
        """Wait until a text can be seen, and return where."""
        found = self.page.get_by_text(text).locator("visible=true").first
        expect(found).to_be_visible(timeout=_PATIENCE_MS)
        return found

    def click(self, text: str) -> None:
        """Click on what bears a text."""
        self.sees(text).click()

    def show(self, name: str) -> None:
        """Take a picture, once what is still loading has come."""
        self.page.wait_for_load_state("networkidle")
        self.page.screenshot(path=self._pictures / f"{name}.png", animations="disabled")


@contextmanager
def browser(address: str, pictures: Path) -> Iterator[Browser]:
    """Open a browser on the UI."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 760})
        yield Browser(page, address, pictures)
        chromium.close()
