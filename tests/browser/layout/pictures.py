"""A page as a person sees it: at two widths, light and dark."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.test_labeling import violations

LOOKS = ((1280, "light"), (375, "light"), (375, "dark"))


def looks_right(page: Page, name: str) -> None:
    """Check the page at both widths; where SHOTS names a folder, keep pictures of it there."""
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=str(Path(folder) / f"{name}-{width}-{scheme}.png"), full_page=width < 500)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 800})
