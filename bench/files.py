"""How long files take in and out, and how much memory: each in a process of its own, in a temporary home.

    python bench/files.py --rows 100000 --json OUT [--database URL] [--redis URL]

The file has as many distinct texts of about 100 characters, ids, one of ten labels and a column of meta
data. With --database, the database named is migrated and gets one new project, which stays there.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORDS = [
    "amber",
    "basil",
    "cedar",
    "dune",
    "ember",
    "fjord",
    "grove",
    "heath",
    "inlet",
    "jetty",
    "knoll",
    "lagoon",
]


def write_file(path: Path, rows: int) -> None:
    rng = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label", "source"])
        for number in range(rows):
            text = " ".join(rng.choices(WORDS, k=16))
            writer.writerow([number, f"{text}, {number:x}", f"label {number % 10}", rng.choice(WORDS)])


def child(
    step: str, home: Path, database: str | None, redis: str | None, arguments: list[str]
) -> dict[str, float]:
    environment = {**os.environ, "WINNOW_HOME": str(home), "DJANGO_SETTINGS_MODULE": "annotate.settings"}
    environment |= {key: url for key, url in {"DATABASE_URL": database, "REDIS_URL": redis}.items() if url}
    done = subprocess.run(
        [sys.executable, __file__, "--step", step, *arguments],
        env={**environment, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def set_up() -> None:
    import django  # the settings are read when a step starts, not when the bench does

    django.setup()


def step_prepare(slug: str) -> None:
    set_up()
    from django.core.management import call_command

    from annotate.models import Project

    call_command("migrate", verbosity=0)
    Project.objects.create(slug=slug, name=slug)
    print(json.dumps({}))


def step_import(slug: str, path: str) -> None:
    set_up()
    from django.core.files import File

    from annotate.models import Project
    from annotate.services.imports import job
    from annotate.services.imports.columns import ColumnMapping

    started = time.perf_counter()
    with Path(path).open("rb") as file:
        upload = job.begin(
            project=Project.objects.get(slug=slug), user=None, file=File(file), name=Path(path).name
        )
    job.start(upload=upload, mapping=ColumnMapping.load(upload.mapping), dry_run=False)
    done = job.run(import_id=upload.pk)
    if done is None or done.error:
        raise SystemExit(f"The import failed: {done and done.error}")
    counts = {key: getattr(done, key) for key in ("created", "unchanged", "broken")}
    print(json.dumps({"s": time.perf_counter() - started, "peak_mb": peak_mb(), **counts}))


def step_export(slug: str, format: str, limit: str) -> None:
    set_up()
    from annotate.models import Project
    from annotate.services.exports import formats

    before, started = peak_mb(), time.perf_counter()
    written = rows = 0
    for block in formats.stream(Project.objects.get(slug=slug), format):
        written += len(block)
        rows += block.count(b"\n")
        if rows >= int(limit):
            break
    seconds = time.perf_counter() - started
    print(
        json.dumps({"s": seconds, "peak_mb": peak_mb(), "start_mb": before, "rows": rows, "bytes": written})
    )


def peak_mb() -> float:
    """NB: kilobytes on Linux, bytes on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


STEPS = {"prepare": step_prepare, "import": step_import, "export": step_export}


def measure(options: argparse.Namespace) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="winnow-files-") as folder:
        home, path = Path(folder), Path(folder) / "rows.csv"
        write_file(path, options.rows)
        slug = f"files-{time.time_ns()}"
        place = (home, options.database, options.redis)
        child("prepare", *place, [slug])
        first = child("import", *place, [slug, str(path)])
        again = child("import", *place, [slug, str(path)])
        out = {kind: child("export", *place, [slug, kind, str(options.export)]) for kind in ("jsonl", "csv")}
    return {
        "rows": options.rows,
        "import_s": first["s"],
        "import_peak_mb": first["peak_mb"],
        "imported": first["created"],
        "reimport_s": again["s"],
        "reimport_unchanged": again["unchanged"],
        "export_rows": out["jsonl"]["rows"],
        "export_s": out["jsonl"]["s"],
        "export_peak_mb": out["jsonl"]["peak_mb"],
        "export_growth_mb": out["jsonl"]["peak_mb"] - out["jsonl"]["start_mb"],
        "export_csv_s": out["csv"]["s"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--export", type=int, default=50_000, help="documents that the export is timed on")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--database")
    parser.add_argument("--redis")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        STEPS[options.step](*options.arguments)
        return
    report = json.dumps({key: round(value, 3) for key, value in measure(options).items()}, indent=2)
    print(report)
    if options.json:
        options.json.write_text(report + "\n")


if __name__ == "__main__":
    main()
