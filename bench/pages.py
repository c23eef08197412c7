"""How long the pages of a site with very many documents take, over HTTP, one request after the other.

python -m bench.pages --documents 1000000 --json OUT [--database URL] [--redis URL]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.person import Person
from bench.site import Site, percentiles
from bench.weight import weigh

ALONE = 60  # decisions before the change in bulk, to compare with
REQUESTS = 40  # of each kind
WARMED = 30  # requests before the first one counts, so that every web process has answered some
PAUSE = 0.05  # seconds between two requests of somebody who works beside a change in bulk
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
            **_bulk(site, made),
            **_export(site, person, made["slug"]),
        }


def _bulk(site: Site, made: dict[str, Any]) -> dict[str, Any]:
    """Change 10,000 documents in bulk while somebody opens documents and annotates one after the other."""
    beside = Person(site.url, made["slug"], "annotator0", made["password"])
    ended, alone, meanwhile = threading.Event(), list[float](), list[float]()

    def work(seconds: list[float], until: Callable[[], bool]) -> None:
        card = beside.look()
        while not until():
            if card is None:
                raise SystemExit("Nothing is left to annotate beside the change in bulk.")
            card, took = beside.decide(card, made["filters"]["label"][:1])
            seconds.append(took)
            time.sleep(PAUSE)

    work(alone, lambda: len(alone) == ALONE)
    working = threading.Thread(target=work, args=(meanwhile, ended.is_set))
    working.start()
    try:
        changed = site.shell("change_in_bulk", module="bench.large")
    finally:
        ended.set()
        working.join()
    return {
        "bulk_s": round(changed["seconds"], 2),
        "bulk_changed": changed["changed"],
        "bulk_others_p99_ms": percentiles(meanwhile)["p99_ms"],
        "bulk_others_alone_p99_ms": percentiles(alone)["p99_ms"],
        "bulk_others": len(meanwhile),
    }


def _export(site: Site, person: Person, slug: str) -> dict[str, Any]:
    """Export all documents as JSONL; the peak is that of the one process that grew most, from a new start."""
    processes = [int(name.partition(" ")[0]) for name in weigh(site.pid)]
    for pid in processes:
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    first_s, all_s = person.download(f"/projects/{slug}/export/jsonl/?everything=1")
    peaks = [
        re.search(r"^VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        for pid in processes
    ]
    return {
        "export_s": round(all_s, 1),
        "export_first_byte_s": round(first_s, 2),
        "export_peak_mb": max(round(int(peak[1]) / 1024, 1) for peak in peaks if peak),
    }


def _pages(person: Person, made: dict[str, Any], documents: int) -> dict[str, Any]:
    table = f"/projects/{made['slug']}/documents/"
    rng = random.Random(0)

    def searches(**filters: str) -> list[str]:
        return [f"{table}?{urlencode({'q': words, **filters})}" for words in made["searches"]]

    labels = made["filters"]["label"]
    deep = max(1, documents - min(DEEP, documents * 9 // 10))
    of_project = f"/projects/{made['slug']}/"
    kinds = {
        "overview": [of_project],
        "versions": [f"{of_project}versions/"],
        "version": [f"{of_project}versions/1/"],
        "drift": [f"{of_project}drift/"],
        "saved_labels": [f"{of_project}saved/"],
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
