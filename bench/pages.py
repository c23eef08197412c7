"""How long the pages of a site with very many documents take, over HTTP, one request after the other.

python -m bench.pages --documents 1000000 --json OUT [--database URL] [--redis URL]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.person import Person
from bench.site import Site, percentiles

REQUESTS = 40  # of each kind
WARMED = 30  # requests before the first one counts, so that every web process has answered some
# Of what this bench does not measure yet.
NOT_YET = ("bulk_s", "bulk_others_p99_ms", "export_s", "export_peak_mb")
DEEP = 18_000 * 50  # documents before the deep page


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with Site(database=options.database, redis=options.redis) as site:
        began = time.monotonic()
        made = site.shell("make", module="bench.large", documents=options.documents, vectors=True)
        made_s = time.monotonic() - began
        person = Person(site.url, made["slug"], "lead", made["password"])
        return {
            "documents": options.documents,
            "annotations": made["annotations"],
            "made_s": round(made_s, 1),
            **_pages(person, made, options.documents),
            "similar_recall": site.shell("recall", module="bench.large"),
            **dict.fromkeys(NOT_YET),
        }


def _pages(person: Person, made: dict[str, Any], documents: int) -> dict[str, Any]:
    table = f"/projects/{made['slug']}/documents/"
    rng = random.Random(0)

    def searches(**filters: str) -> list[str]:
        return [f"{table}?{urlencode({'q': words, **filters})}" for words in made["searches"]]

    labels = made["filters"]["label"]
    deep = max(1, documents - min(DEEP, documents * 9 // 10))
    kinds = {
        "first_page": [table],
        "deep_page": [f"{table}?after={deep + rng.randrange(100)}" for _ in range(REQUESTS)],
        "document": [f"{table}{rng.randrange(1, documents + 1)}/" for _ in range(REQUESTS)],
        "similar": [f"{table}{rng.randrange(1, documents + 1)}/similar/" for _ in range(REQUESTS)],
        "search": searches(),
        "search_filter": [path for label in labels for path in searches(label=label)],
    }
    _seconds(person, [table], WARMED)
    report: dict[str, Any] = {}
    for kind, paths in kinds.items():
        report |= percentiles(_seconds(person, paths), f"{kind}_")
    searched = {words: _p95(person, [path]) for words, path in zip(made["searches"], searches(), strict=True)}
    filters = {
        name: _p95(person, [f"{table}?{urlencode({name: value})}" for value in values])
        for name, values in made["filters"].items()
    }
    return {
        **report,
        "filter_max_p95_ms": max(filters.values()),
        "filters_p95_ms": filters,
        "searches_p95_ms": searched,
    }


def _p95(person: Person, paths: Sequence[str]) -> float:
    return percentiles(_seconds(person, paths))["p95_ms"] or 0.0


def _seconds(person: Person, paths: Sequence[str], number: int = REQUESTS) -> list[float]:
    return [person.visit(path) for path in islice(cycle(paths), number)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--database", default="", metavar="URL")
    parser.add_argument("--redis", default="", metavar="URL")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    report = measure(options)
    options.json.write_text(json.dumps(report, indent=2, ensure_ascii=False))
    print(json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
