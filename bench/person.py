"""An annotator as the site sees one: logs in, gets a card, posts a decision, gets the next card."""

from __future__ import annotations

import html
import re
import time
from dataclasses import dataclass

import httpx

CARD = re.compile(r'<article id="card"[^>]*>')
ATTRIBUTE = re.compile(r'data-(card|document|version|empty)(?:="([^"]*)")?')
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Shown:
    """A card, and when and by which model's choice it came."""

    key: str
    document: int
    version: int | None
    at: float


class Person:
    def __init__(self, url: str, slug: str, name: str, password: str) -> None:
        self.name = name
        self._page = f"/projects/{slug}/label/"
        self._client = httpx.Client(base_url=url, timeout=60)
        self._csrf = ""
        self._log_in(name, password)

    def _log_in(self, name: str, password: str) -> None:
        page = self._client.get("/login/")
        form = {"username": name, "password": password, "csrfmiddlewaretoken": _found(TOKEN, page.text)}
        answer = self._client.post("/login/", data=form)
        if answer.status_code != 302:
            raise SystemExit(f"{name} cannot log in: {answer.status_code}")

    def look(self) -> Shown | None:
        page = self._client.get(self._page)
        page.raise_for_status()
        return self._card(page.text)

    def decide(self, card: Shown, labels: list[int]) -> tuple[Shown | None, float]:
        """Post an answer; return the next card and the seconds that the site took."""
        form = {
            "card": card.key,
            "outcome": "answered",
            "labels": [str(pk) for pk in labels],
            "none": "" if labels else "1",
            "seconds": "1.0",
            "csrfmiddlewaretoken": self._csrf,
        }
        began = time.perf_counter()
        answer = self._client.post(self._page, data=form, headers={"HX-Request": "true"})
        took = time.perf_counter() - began
        answer.raise_for_status()
        return self._card(answer.text), took

    def _card(self, page: str) -> Shown | None:
        found = dict(ATTRIBUTE.findall(_found(CARD, page, 0)))
        if "empty" in found or "card" not in found:
            return None
        self._csrf = _found(TOKEN, page)
        version = int(found["version"]) if found.get("version") else None
        return Shown(found["card"], int(found["document"]), version, time.time())


def _found(pattern: re.Pattern[str], page: str, group: int = 1) -> str:
    match = pattern.search(page)
    if match is None:
        raise httpx.HTTPError(f"the page lacks {pattern.pattern!r}")
    return html.unescape(match[group])
