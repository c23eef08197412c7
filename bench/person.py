"""An annotator as the site sees one: logs in, gets a card, posts a decision, and holds two cards ahead."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import httpx

CARD = re.compile(r'<article id="card"[^>]*>')
ATTRIBUTE = re.compile(r'data-(card|document|version|empty)(?:="([^"]*)")?')
DECK = re.compile(r'data-labels="([^"]*)"(?: data-dropped="([^"]*)" data-returned="([^"]*)")?')
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Shown:
    """A card, by which model's choice it came, and since when it is the one on the screen."""

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
        self._mark = ""
        self._ahead: list[Shown] = []
        self._returned: list[str] = []
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
        self._mark = _found(DECK, page.text)
        self._ahead, self._returned = [], []
        return next(iter(self._cards(page.text)), None)

    def visit(self, path: str) -> float:
        """Open a page; return the seconds that the site took."""
        began = time.perf_counter()
        page = self._client.get(path)
        took = time.perf_counter() - began
        page.raise_for_status()
        return took

    def download(self, path: str) -> tuple[float, float]:
        """Read a file to its end; return the seconds to its first bytes and to its last."""
        began, first = time.perf_counter(), 0.0
        with self._client.stream("GET", path) as answer:
            answer.raise_for_status()
            for _block in answer.iter_raw():
                first = first or time.perf_counter() - began
        return first, time.perf_counter() - began

    def decide(
        self, card: Shown, labels: Sequence[int], spans: Sequence[tuple[int, int, int]] = ()
    ) -> tuple[Shown | None, float]:
        """Post an answer, spans as (start, end, label); return the next card and the seconds that it took."""
        shown, *ahead = self._ahead or [None]
        form = {
            "card": card.key,
            "outcome": "answered",
            "labels": [str(pk) for pk in labels],
            "spans": json.dumps(spans),
            "none": "" if labels or spans else "1",
            "seconds": "1.0",
            "csrfmiddlewaretoken": self._csrf,
            "deck": "1",
            "mark": self._mark,
            "shown": shown.key if shown else "",
            "ahead": " ".join(held.key for held in ahead),
            "returned": " ".join(self._returned),
        }
        began = time.perf_counter()
        answer = self._client.post(self._page, data=form, headers={"HX-Request": "true"})
        took = time.perf_counter() - began
        answer.raise_for_status()
        self._take(answer.text, ahead)
        if shown is None and self._ahead:
            shown = self._ahead.pop(0)
        return (replace(shown, at=time.time()) if shown else None), took

    def _take(self, page: str, ahead: list[Shown]) -> None:
        """Take what the site says of the cards behind the one on the screen, as the page's deck.js does."""
        self._mark, dropped = _found(DECK, page), _found(DECK, page, 2).split()
        self._returned = [held.key for held in ahead if held.key in dropped]
        self._ahead = [held for held in ahead if held.key not in dropped] + self._cards(page)

    def _cards(self, page: str) -> list[Shown]:
        cards = []
        for article in CARD.findall(page):
            found = dict(ATTRIBUTE.findall(article))
            if "card" in found:
                self._csrf = _found(TOKEN, page)
                version = int(found["version"]) if found.get("version") else None
                cards.append(Shown(found["card"], int(found["document"]), version, time.time()))
        return cards


def _found(pattern: re.Pattern[str], page: str, group: int = 1) -> str:
    match = pattern.search(page)
    if match is None:
        raise httpx.HTTPError(f"the page lacks {pattern.pattern!r}")
    return html.unescape(match[group] or "")
