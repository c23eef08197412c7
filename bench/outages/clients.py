"""People and a program that use a site while it is broken, and what they saw."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import httpx

from bench.person import Person
from bench.site import Site

PAGES_A_DECISION = 0.2  # people also open the page anew


class Log:
    """What the clients saw, and when; shared by their threads."""

    def __init__(self) -> None:
        self.acknowledged: Counter[tuple[int, str]] = Counter()
        self.latest: dict[str, float] = {}
        self.errors: list[tuple[float, str]] = []
        self.took: dict[str, list[tuple[float, float]]] = {"decision": [], "page": []}
        self.refused: list[str] = []
        self.going = True
        self._lock = threading.Lock()

    def decided(self, document: int, name: str) -> None:
        with self._lock:
            self.acknowledged[document, name] += 1
            self.latest[name] = time.monotonic()

    def answered(self, what: str, seconds: float) -> None:
        with self._lock:
            self.took[what].append((time.monotonic() - seconds, seconds))

    def seconds(self, what: str, windows: list[tuple[float, float]], *, inside: bool) -> list[float]:
        """Return what requests took that were sent within the windows, or outside of them."""
        return [
            seconds
            for at, seconds in self.took[what]
            if inside == any(begin <= at <= end for begin, end in windows)
        ]

    def failed(self, error: object) -> None:
        with self._lock:
            self.errors.append((time.monotonic(), str(error)))

    def errors_between(self, windows: list[tuple[float, float]]) -> int:
        return sum(any(begin <= at <= end for begin, end in windows) for at, _error in self.errors)


class Annotator(threading.Thread):
    """Sends a decision until the site has acknowledged it, as the page's outbox does."""

    def __init__(self, log: Log, site: Site, slug: str, name: str, password: str, labels: list[int]) -> None:
        super().__init__(name=name)
        self._log, self._labels, self._rng = log, labels, random.Random(name)
        self._person = Person(site.url, slug, name, password)

    def run(self) -> None:
        card = None
        while self._log.going:
            time.sleep(self._rng.uniform(0.05, 0.3))
            try:
                if card is None or self._rng.random() < PAGES_A_DECISION:
                    began = time.monotonic()
                    card = self._person.look()
                    self._log.answered("page", time.monotonic() - began)
                    if card is None:
                        self._log.decided(-1, self.name)  # the site answers, but has nothing to do
                        continue
                    answer = [self._rng.choice(self._labels)]
                following, took = self._person.decide(card, answer)
                self._log.answered("decision", took)
            except httpx.HTTPStatusError as error:
                if error.response.status_code in (409, 422):
                    self._log.refused.append(error.response.text[:200])
                    card = None
                else:
                    self._log.failed(error)
                continue
            except httpx.HTTPError as error:
                self._log.failed(error)
                continue
            self._log.decided(card.document, self.name)
            card = following


class Program(threading.Thread):
    """Asks for a prediction a few times a second, once a model is published."""

    def __init__(self, log: Log, site: Site, slug: str, token: str) -> None:
        super().__init__(name="program")
        self._log, self._path = log, f"/api/v1/projects/{slug}/predict"
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=site.url, headers=headers, timeout=60)
        self.answered = 0

    def run(self) -> None:
        while self._log.going:
            time.sleep(0.3)
            try:
                answer = self._client.post(self._path, json={"texts": ["A text about something red."]})
            except httpx.HTTPError as error:
                self._log.failed(error)
                continue
            self.answered += answer.status_code == 200
            if answer.status_code >= 500:
                self._log.failed(f"{answer.status_code} of a prediction")
