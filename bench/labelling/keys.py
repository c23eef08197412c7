"""How many keys a decision takes: a person who knows the labels, on the cards that a queue would deal.

    python bench/labelling/keys.py --set NAME FILE TEXT LABEL SEPARATOR [--set …] --json OUT

A model learns after every `--step` decisions, and the project's strategy chooses what comes next. Cards of
the holdout show no suggestion: their documents are drawn as the file has them. `before` is the page without
the likeliest labels, without preselection and with `--search-before`, an older search.js. It needs node, for
the page's own search.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.labelling.cards import Card, World, deal
from training.cli.embedders import add_encoder_arguments, open_embedder
from training.cli.inputs import read_datasets
from training.encoders.neighbours import nearest
from training.runs.pipeline import rows_of
from training.types import Embedder

HERE = Path(__file__).resolve().parent
SEARCH = HERE.parent.parent / "annotate/static/annotate/search.js"
HOTKEYS = 19  # labels with a key of their own, as `annotate.hotkeys.USUAL` has them
LIKELIEST = 5
HOLDOUT_SHARE = 0.2  # of the queue
SAVE = 1


@dataclass(frozen=True)
class Page:
    """What a page offers; `finder` (labels,) are the keys with which its finder takes each label."""

    finder: list[int]
    has_likeliest: bool
    preselects: bool

    def key(self, label: int, likeliest: Iterable[int] = ()) -> int:
        return 1 if label < HOTKEYS or label in likeliest else self.finder[label]

    def single(self, card: Card) -> int:
        order = np.argsort(-card.scores, kind="stable").tolist()
        return self.key(card.truth[0], order[: LIKELIEST if self.has_likeliest else 1])

    def multi(self, card: Card) -> int:
        truth, decided = set(card.truth), set(card.decided)
        if not truth:
            return SAVE
        order = sorted(decided, key=lambda j: -card.scores[j])
        order += [j for j in np.argsort(-card.scores, kind="stable").tolist() if j not in decided]
        likeliest = order[:LIKELIEST] if self.has_likeliest else []
        chosen = sum(self.key(label, likeliest) for label in truth) + SAVE
        # Taken over by a key, and then changed.
        changed = 1 + sum(self.key(label, likeliest) for label in truth ^ decided) + SAVE
        if self.preselects and truth == decided:
            return SAVE
        return min(chosen, changed) if decided else chosen

    def without_suggestion(self, truth: Iterable[int], *, is_single: bool) -> int:
        keys = sum(map(self.key, truth))
        return keys if is_single else keys + SAVE


def finder(search: Path, names: list[str], *, more: int) -> list[int]:
    """Return the keys of each label: "/", letters, the key that takes it, and `more`."""
    command = ["node", str(HERE / "typing.mjs"), str(search.resolve())]
    done = subprocess.run(command, input=json.dumps(names), capture_output=True, text=True, check=True)
    return [letters + 2 + more for letters in json.loads(done.stdout)]


def measure(options: argparse.Namespace, path: Path, columns: dict[str, Any], embedder: Embedder) -> Any:
    (documents,) = read_datasets(path, [], **columns)
    if options.documents and options.documents < len(documents):
        drawn = np.random.default_rng(0).permutation(len(documents))[: options.documents]
        documents = rows_of(documents, np.sort(drawn))
    names, is_single = [spec.name for spec in documents.schema.labels], documents.schema.task.exclusive
    after = Page(finder(SEARCH, names, more=0), has_likeliest=True, preselects=True)
    # Of several labels, a key was needed to leave the finder.
    older = finder(options.search_before or SEARCH, names, more=0 if is_single else 1)
    before = Page(older, has_likeliest=False, preselects=False)
    vectors = embedder.embed(documents.texts)
    world = World(documents, embedder, vectors, nearest(vectors))
    found: dict[int, dict[str, list[list[float]]]] = {mark: {} for mark in options.labels}
    for seed in range(options.seeds):
        cards = list(deal(world, options.labels, options.cards, options.step, seed))
        for mark in options.labels:
            shown = [card for card in cards if card.labelled == mark]
            for name, page in (("before", before), ("after", after)):
                count: Callable[[Card], int] = page.single if is_single else page.multi
                found[mark].setdefault(name, []).append([count(card) for card in shown])
    truths = [np.flatnonzero(row > 0).tolist() for row in documents.targets]
    report: dict[str, Any] = {"labels": len(names), "cards": {}}
    for name, page in (("before", before), ("after", after)):
        report[f"finder_{name}"] = round(float(np.mean(page.finder)), 2)
        holdout = np.mean([page.without_suggestion(truth, is_single=is_single) for truth in truths])
        report[f"holdout_{name}"] = round(float(holdout), 2)
        for mark in options.labels:
            seeds = [float(np.mean(keys)) for keys in found[mark][name]]
            mean = float(np.mean(seeds))
            report["cards"].setdefault(mark, {})[name] = {
                "suggested": round(mean, 2),
                "seeds": [round(one, 2) for one in seeds],
                "all": round((1 - HOLDOUT_SHARE) * mean + HOLDOUT_SHARE * float(holdout), 2),
            }
    return report


def main() -> None:
    options = _arguments()
    embedder, _root = open_embedder(options)
    report = {}
    for name, file, text, label, separator in options.set:
        columns = {"text": text, "label": label, "multi": separator or None}
        report[name] = measure(options, Path(file), columns, embedder)
        print(name, json.dumps(report[name], indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    columns = ("NAME", "FILE", "TEXT", "LABEL", "SEPARATOR")
    parser.add_argument("--set", nargs=5, action="append", required=True, metavar=columns)
    parser.add_argument("--labels", type=int, nargs="+", default=[50, 200, 500], help="decisions before")
    parser.add_argument("--cards", type=int, default=50, help="cards that are counted at each")
    parser.add_argument("--step", type=int, default=10, help="decisions between two models")
    parser.add_argument("--documents", type=int, default=0, help="drawn from a file; 0 takes them all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--search-before", type=Path, help="the search.js of an older page")
    parser.add_argument("--json", type=Path)
    add_encoder_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
