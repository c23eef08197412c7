"""How many decisions a second a site takes: N clients claim and submit, over HTTP, for some seconds.

python -m bench.annotators --documents 50000 --clients 20 --seconds 40 --json OUT
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.person import Person
from bench.site import Site, percentiles

LABELS = ["red", "green", "blue"]


class Client(threading.Thread):
    def __init__(self, person: Person, labels: list[int], until: float, think: tuple[float, float]) -> None:
        super().__init__(name=person.name)
        self.person, self.labels, self.until, self.think = person, labels, until, think
        self.decided: list[int] = []
        self.took: list[float] = []
        self.errors: list[str] = []

    def run(self) -> None:
        rng = random.Random(self.name)
        card = None
        while time.monotonic() < self.until:
            try:
                card = card or self.person.look()
                if card is None:
                    time.sleep(0.2)
                    continue
                following, took = self.person.decide(card, [rng.choice(self.labels)])
            except httpx.HTTPError as error:
                self.errors.append(str(error))
                card = None
                continue
            self.decided.append(card.document)
            self.took.append(took)
            card = following
            time.sleep(rng.uniform(*self.think))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with Site(database=options.database, redis=options.redis) as site:
        texts = [f"Document number {number} of this bench." for number in range(options.documents)]
        seeded = site.shell(
            "seed", texts=texts, labels=LABELS, multi=False, people=options.clients, training=False, fields={}
        )
        people = [Person(site.url, seeded["slug"], name, seeded["password"]) for name in seeded["people"]]
        began = time.monotonic()
        until, keys = began + options.seconds, list(seeded["labels"].values())
        clients = [Client(person, keys, until, options.think) for person in people]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return _report(clients, site.shell("tally"), time.monotonic() - began, site.start_s)


def _report(clients: list[Client], tally: dict[str, Any], seconds: float, start_s: float) -> dict[str, Any]:
    took = [value for client in clients for value in client.took]
    kept = {(document, name) for document, name in tally["annotations"]}
    acknowledged = Counter((document, client.name) for client in clients for document in client.decided)
    return {
        "decisions": len(took),
        "decisions_per_s": round(len(took) / seconds, 1),
        **percentiles(took),
        "doubled": max(tally["doubled"], tally["shown_to_two"]),
        "lost": sum(key not in kept for key in acknowledged),
        "errors": sum(len(client.errors) for client in clients),
        "error_examples": [error for client in clients for error in client.errors][:3],
        "start_s": round(start_s, 1),
    }


def _range(value: str) -> tuple[float, float]:
    low, _comma, high = value.partition(",")
    return float(low), float(high or low)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--think", type=_range, default=(0.0, 0.0), metavar="LOW,HIGH")
    parser.add_argument("--database", default="", metavar="URL")
    parser.add_argument("--redis", default="", metavar="URL")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    report = measure(options)
    options.json.write_text(json.dumps(report, indent=2))
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
