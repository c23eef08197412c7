"""From drift to a model that knows the new topic, over HTTP: traffic, alarm, queue, labels, run, publication.

python bench/drift.py --train F --text COL --label COL --json OUT

Programs ask about texts of most labels of the file; then texts of withheld ones come among them, until an
alarm is raised. A person answers what it puts in front of the queue; a model learns that and ends the alarm.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.loop import Truth, read
from bench.person import Person
from bench.site import Site

PATIENCE = 600.0  # seconds for one step of the chain
NEW = "a new topic"
T = TypeVar("T")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    rows = read(options.train, options.text, options.label, "")
    rng = random.Random(options.seed)
    rng.shuffle(rows)
    names = sorted({labels[0] for _text, labels in rows})
    withheld = set(rng.sample(names, options.withheld))
    known = [row for row in rows if row[1][0] not in withheld]
    strange = [text for text, labels in rows if labels[0] in withheld]
    labelled, traffic = known[: options.labelled], [text for text, _labels in known[options.labelled :]]
    with Site() as site:
        seeded = site.shell(
            "seed",
            texts=[text for text, _labels in labelled],
            labels=[name for name in names if name not in withheld] + [NEW],
            multi=False,
            people=1,
            training=True,
            fields={},
        )
        site.shell("answer", rows=[[text, labels[0]] for text, labels in labelled])
        chain = Chain(site, seeded, options.window, set(strange))
        chain.until("the first model", chain.published)
        chain.ask(traffic[: 9 * options.window])
        chain.until("eight windows", lambda: chain.state()["windows"] >= 8)
        quiet = chain.state()
        began = time.monotonic()
        mixed = _mixed(traffic[9 * options.window :], strange, options.share, 4 * options.window, rng)
        chain.ask(mixed)
        alarm = chain.until("an alarm", lambda: chain.state()["alarms"])
        raised_s = time.monotonic() - began
        front = chain.state()["front"]
        answered_s, right = chain.answer(_truth(rows, withheld))
        ended_s = chain.until_seconds("the end of the alarm", lambda: not chain.state()["open"])
        return {
            "window": options.window,
            "share_of_new_texts": options.share,
            "false_alarms_before": quiet["alarms"],
            "windows_outside_before": quiet["outside"],
            "alarms": alarm,
            "raised_s": round(raised_s, 1),
            "in_front": len(front),
            "in_front_new": round(sum(text in chain.strange for text in front) / max(1, len(front)), 3),
            "answered": right,
            "answered_s": round(answered_s, 1),
            "ended_s": round(ended_s, 1),
            "version": chain.state()["version"],
        }


class Chain:
    """What the bench does to the site, and what it sees of it."""

    def __init__(self, site: Site, seeded: dict[str, Any], window: int, strange: set[str]) -> None:
        self.site, self.seeded, self.strange = site, seeded, strange
        headers = {"Authorization": f"Bearer {seeded['token']}"}
        self.api = httpx.Client(base_url=site.url, headers=headers, timeout=300)
        self.path = f"/api/v1/projects/{seeded['slug']}"
        site.shell("watch", window=window)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.site.shell("drift_state")
        return found

    def published(self) -> bool:
        return self.api.post(f"{self.path}/predict", json={"text": "is there one?"}).status_code == 200

    def ask(self, texts: Sequence[str]) -> None:
        for start in range(0, len(texts), 50):
            asked = {"texts": list(texts[start : start + 50])}
            self.api.post(f"{self.path}/predict", json=asked).raise_for_status()

    def answer(self, truth: dict[str, str]) -> tuple[float, int]:
        """Let a person answer all that the alarm has put into the queue; return the seconds and how many."""
        began, given = time.monotonic(), 0
        person = Person(self.site.url, self.seeded["slug"], self.seeded["people"][0], self.seeded["password"])
        texts = {int(pk): text for pk, text in self.site.shell("texts").items()}
        card = person.look()
        while card is not None and (given % 5 or self.state()["left"]):
            label = truth.get(texts[card.document], NEW)
            card, _took = person.decide(card, [self.seeded["labels"][label]])
            given += 1
        return time.monotonic() - began, given

    def until(self, what: str, found: Callable[[], T]) -> T:
        ends = time.monotonic() + PATIENCE
        while not (value := found()):
            if time.monotonic() > ends:
                raise SystemExit(f"There was no sign of {what} for {PATIENCE:.0f} seconds: {self.state()}")
            time.sleep(1.0)
        print(f"{what}: there", file=sys.stderr)
        return value

    def until_seconds(self, what: str, found: Callable[[], Any]) -> float:
        began = time.monotonic()
        self.until(what, found)
        return time.monotonic() - began


def _mixed(known: Sequence[str], new: Sequence[str], share: float, n: int, rng: random.Random) -> list[str]:
    strange = list(new[: round(share * n)])
    texts = strange + list(known[: n - len(strange)])
    rng.shuffle(texts)
    return texts


def _truth(rows: Truth, withheld: set[str]) -> dict[str, str]:
    return {text: NEW if labels[0] in withheld else labels[0] for text, labels in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--labelled", type=int, default=1000)
    parser.add_argument("--window", type=int, default=500)
    parser.add_argument("--withheld", type=int, default=8)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    report = measure(options)
    options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
