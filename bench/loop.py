"""The whole loop over HTTP: N annotators label a file's texts, models learn, the published one is judged.

python bench/loop.py --train F --test F --text COL --label COL --annotators 4 --budget 1000 --json OUT
python bench/loop.py --task span --train F.conll --test F.conll --annotators 4 --budget 1000 --json OUT
python bench/loop.py --task joint --train F.jsonl --test F.jsonl --annotators 4 --budget 1000 --json OUT
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.person import Person, Shown
from bench.site import Site, percentiles
from training.cli.spans.inputs import read_span_texts, word_count
from training.tagging.figures import entity_f1
from training.types import Span, mean_of_both

Said = list[str | Span]
"""Labels of a whole text, and its spans."""
Truth = list[tuple[str, Said]]
# By task, "" for labels of whole documents alone.
FIGURES = {
    "": ["macro_f1"], "span": ["entity_f1"], "joint": ["entity_f1", "macro_f1", "joint_f1"],
}  # fmt: skip
MARKS = [50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000]
CALL = 500


class Labelling:
    """What all annotators share: the budget, the truth, what was acknowledged, which model chose cards."""

    def __init__(self, seeded: dict[str, Any], truth: Truth, budget: int, think: tuple[float, float]) -> None:
        self.truth, self.budget, self.think = truth, budget, think
        self.keys: dict[str, int] = seeded["labels"]
        self.documents: dict[str, tuple[int, str]] = seeded["documents"]
        self.given = {"pool": 0, "holdout": 0}
        self.words = 0  # of the texts of the pool that were answered
        self.acknowledged: list[tuple[int, str]] = []
        self.took: list[float] = []
        self.first_seen: dict[int, float] = {}
        self.lock = threading.Lock()
        self.going = threading.Event()
        self.going.set()
        self.errors = 0
        self.target = budget

    def answer_of(self, card: Shown) -> tuple[list[int], list[tuple[int, int, int]]]:
        """Return the labels of the whole text, and start, end and label of its spans."""
        place, _lane = self.documents[str(card.document)]
        said = self.truth[place][1]
        spans = [(one.start, one.end, self.keys[str(one.label)]) for one in said if isinstance(one, Span)]
        return [self.keys[one] for one in said if isinstance(one, str)], spans

    def keep(self, name: str, card: Shown, following: Shown | None, took: float) -> None:
        with self.lock:
            place, lane = self.documents[str(card.document)]
            self.given[lane] += 1
            self.words += word_count([self.truth[place][0]]) if lane == "pool" else 0
            self.acknowledged.append((card.document, name))
            self.took.append(took)
            self.saw(following)
            if self.given["pool"] >= self.target:
                self.going.clear()

    def saw(self, card: Shown | None) -> None:
        if card is not None and card.version is not None:
            self.first_seen.setdefault(card.version, card.at)

    def work(self, person: Person) -> None:
        rng, card = random.Random(person.name), None
        while self.given["pool"] < self.budget:
            if not self.going.wait(timeout=0.5):
                continue
            try:
                card = card or person.look()
                if card is None:
                    time.sleep(0.2)
                    continue
                time.sleep(rng.uniform(*self.think))
                following, took = person.decide(card, *self.answer_of(card))
            except httpx.HTTPError:
                self.errors += 1
                card = None
                continue
            self.keep(person.name, card, following, took)
            card = following


def read(path: Path, text: str, label: str, multi: str) -> Truth:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        return [(row[text], _cut(row[label], multi)) for row in rows]


def _cut(cell: str, multi: str) -> Said:
    return [part for part in cell.split(multi) if part] if multi else [cell]


def read_spans(path: Path, task: str) -> Truth:
    """Return texts with their spans, and with labels of the whole where the task has both."""
    found = read_span_texts(path)
    return [(one.text, [*(one.labels if task == "joint" else ()), *one.spans]) for one in found]


def judge(url: str, seeded: dict[str, Any], test: Truth) -> dict[str, Any]:
    """Ask the published model for the test file's texts; return its F1, and the version that answered."""
    headers = {"Authorization": f"Bearer {seeded['token']}"}
    found: list[Any] = []
    version = None
    with httpx.Client(base_url=url, headers=headers, timeout=300) as client:
        for start in range(0, len(test), CALL):
            texts = [text for text, _labels in test[start : start + CALL]]
            answer = client.post(f"/api/v1/projects/{seeded['slug']}/predict", json={"texts": texts})
            if answer.status_code == 409:  # nothing is published yet
                return {"version": None, **dict.fromkeys(seeded["figures"])}
            answer.raise_for_status()
            version = answer.json()["version"]
            found += [_told(text) for text in answer.json()["predictions"]]
    reached = figures([said for _text, said in test], found)
    return {"version": version, **{name: round(reached[name], 4) for name in seeded["figures"]}}


def _told(prediction: dict[str, Any]) -> Said:
    spans = [Span(one["start"], one["end"], one["label"]) for one in prediction.get("spans", ())]
    return [*prediction.get("labels", ()), *spans]


def figures(truth: list[Said], found: list[Said]) -> dict[str, float]:
    """Return the F1 of spans, of labels of whole texts, and the mean of the two, of those that there are."""
    spans = [[[one for one in said if isinstance(one, Span)] for said in side] for side in (truth, found)]
    labels = [[[one for one in said if isinstance(one, str)] for said in side] for side in (truth, found)]
    reached: dict[str, float] = {}
    if any(spans[0]):
        reached["entity_f1"] = entity_f1(*spans)
    if any(labels[0]):
        reached["macro_f1"] = macro_f1(*labels)
    both = mean_of_both(reached.get("macro_f1"), reached.get("entity_f1"))
    return reached if both is None else reached | {"joint_f1": both}


def macro_f1(truth: list[Any], found: list[Any]) -> float:
    """Return the mean F1 over the labels that the truth holds."""
    scores = []
    for name in sorted({name for labels in truth for name in labels}):
        pairs = [(name in expected, name in given) for expected, given in zip(truth, found, strict=True)]
        both = pairs.count((True, True))
        scores.append(2 * both / (2 * both + pairs.count((True, False)) + pairs.count((False, True))))
    return sum(scores) / len(scores)


def drive(site: Site, seeded: dict[str, Any], work: Labelling, test: Truth) -> list[dict[str, Any]]:
    """Let people label up to each mark, judge the published model there, go on; return the curve."""
    marks = [mark for mark in MARKS if mark < work.budget]
    work.target = marks[0] if marks else work.budget
    people = [Person(site.url, seeded["slug"], name, seeded["password"]) for name in seeded["people"]]
    threads = [threading.Thread(target=work.work, args=[person], daemon=True) for person in people]
    for thread in threads:
        thread.start()
    curve = []
    for mark, following in zip(marks, [*marks[1:], work.budget], strict=True):
        while work.going.is_set():
            time.sleep(0.1)
        curve.append({"labels": work.given["pool"], "words": work.words, **judge(site.url, seeded, test)})
        print(f"{mark} labels: {curve[-1]}", file=sys.stderr)
        work.target = following
        work.going.set()
    for thread in threads:
        thread.join()
    settle(site, people[0], work)
    curve.append({"labels": work.given["pool"], "words": work.words, **judge(site.url, seeded, test)})
    return curve


def settle(site: Site, person: Person, work: Labelling, patience: float = 120) -> None:
    """Wait until what the last labels started is done, and see the next card."""
    until = time.monotonic() + patience
    quiet = 0
    while time.monotonic() < until and quiet < 2:
        quiet = quiet + 1 if site.shell("tally")["live_runs"] == 0 else 0
        work.saw(person.look())
        time.sleep(1)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    train, test = (_truth(path, options) for path in (options.train, options.test))
    everything = [one for _text, said in train for one in said]
    of_spans = sorted({str(one.label) for one in everything if isinstance(one, Span)})
    labels = sorted({one for one in everything if isinstance(one, str)})
    with Site(database=options.database, redis=options.redis) as site:
        seeded = site.shell(
            "seed",
            texts=[text for text, _said in train],
            labels=labels or of_spans,
            span_labels=of_spans if labels else [],
            multi=bool(options.multi),
            people=options.annotators,
            training=True,
            fields=dict(options.set),
            task=options.task,
        )
        seeded["figures"] = FIGURES[options.task]
        work = Labelling(seeded, train, options.budget, options.think)
        curve = drive(site, seeded, work, test)
        return report(work, curve, site.shell("tally"))


def _truth(path: Path, options: argparse.Namespace) -> Truth:
    return (
        read_spans(path, options.task)
        if options.task
        else read(path, options.text, options.label, options.multi)
    )


def report(work: Labelling, curve: list[dict[str, Any]], tally: dict[str, Any]) -> dict[str, Any]:
    kept = {(document, name) for document, name in tally["annotations"]}
    waits = [
        round(work.first_seen[version["number"]] - version["triggered_at"], 2)
        for version in tally["versions"]
        if version["number"] in work.first_seen and version["triggered_at"]
    ]
    return {
        **{name: value for name, value in curve[-1].items() if name.endswith("_f1")},
        "curve": curve,
        "pool_answers": work.given["pool"],
        "pool_words": work.words,
        "holdout_answers": work.given["holdout"],
        **percentiles(work.took, "post_"),
        "lost": sum(key not in kept for key in work.acknowledged),
        "doubled": tally["doubled"],
        "held_by_two": tally["shown_to_two"],
        "errors": work.errors,
        # The last waits are those at the full budget; the median says what is usual.
        "trigger_to_card_s": waits[-1] if waits else None,
        "trigger_to_card_median_s": sorted(waits)[len(waits) // 2] if waits else None,
        "trigger_to_card_all_s": waits,
        "versions": tally["versions"],
    }


def _range(value: str) -> tuple[float, float]:
    low, _comma, high = value.partition(",")
    return float(low), float(high or low)


def _setting(value: str) -> tuple[str, Any]:
    name, _equals, given = value.partition("=")
    return name, json.loads(given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("--train", "--test", "--json"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("--text", "--label"):
        parser.add_argument(name, default="", help="a column of the files")
    parser.add_argument(
        "--task", default="", choices=sorted(FIGURES), help="files of spans: CoNLL or JSONL; joint: JSONL"
    )
    parser.add_argument("--multi", default="", metavar="SEP", help="what separates labels in a cell")
    parser.add_argument("--annotators", type=int, default=4)
    parser.add_argument("--budget", type=int, default=1000, help="answers in the pool lane")
    parser.add_argument("--think", type=_range, default=(1.0, 2.0), metavar="LOW,HIGH", help="seconds a card")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="FIELD=JSON")
    parser.add_argument("--database", default="", metavar="URL")
    parser.add_argument("--redis", default="", metavar="URL")
    options = parser.parse_args()
    if not options.task and not (options.text and options.label):
        parser.error("name the columns: --text and --label")
    result = measure(options)
    options.json.write_text(json.dumps(result, indent=2))
    print(json.dumps({key: value for key, value in result.items() if key != "versions"}, indent=2))


if __name__ == "__main__":
    main()
