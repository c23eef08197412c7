"""What a site weighs: in memory before the first model and after the last run, and on the disk.

    python bench/weight.py --train F --text COL --label COL --labels 60 --install --json OUT

Memory is the proportional set size of all processes of an embedded site, which counts a page that N processes
share as 1/N in each of them. It is read from /proc, so this bench runs on Linux.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.loop import Labelling, read, settle
from bench.person import Person
from bench.site import ROOT, Site

MB = 1024  # /proc counts in kB


def main() -> None:
    options = _arguments()
    report = in_memory(options)
    if options.install:
        report["base_install_mb"] = base_install_mb()
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


def in_memory(options: argparse.Namespace) -> dict[str, Any]:
    truth = read(options.train, options.text, options.label, "")
    with Site() as site:
        fresh = weigh(site.pid)
        seeded = site.shell(
            "seed",
            texts=[text for text, _names in truth],
            labels=sorted({name for _text, names in truth for name in names}),
            multi=False,
            people=1,
            training=True,
            fields={},
        )
        come_to_rest(site, options.rest)
        idle = weigh(site.pid)
        work = Labelling(seeded, truth, options.labels, (0.5, 0.5))
        person = Person(site.url, seeded["slug"], seeded["people"][0], seeded["password"])
        thread = threading.Thread(target=work.work, args=[person])
        thread.start()
        thread.join()
        settle(site, person, work)
        busy = weigh(site.pid)
        come_to_rest(site, options.rest)
        rest = weigh(site.pid)
        versions = site.shell("tally")["versions"]
    return {
        "fresh_mb": total(fresh),
        "idle_mb": total(idle),
        "after_last_run_mb": total(busy),
        "rest_mb": total(rest),
        "rest_processes": rest,
        "versions": len(versions),
    }


def come_to_rest(site: Site, seconds: float) -> None:
    """Wait until there was no work for so many seconds."""
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < seconds:
        time.sleep(2)
        if site.shell("live_work"):
            quiet_since = time.monotonic()


def weigh(root: int) -> dict[str, float]:
    """Return the proportional set size in MB of a process and all below it, by number and name."""
    children = below()
    found, waiting = {}, [root]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        try:
            sizes = Path(f"/proc/{pid}/smaps_rollup").read_text()
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:  # it has just ended
            continue
        size = re.search(r"^Pss:\s+(\d+)", sizes, re.MULTILINE)
        if size:
            found[f"{pid} {name}"] = round(int(size[1]) / MB, 1)
    return found


def below() -> dict[int, list[int]]:
    """Return the children of every process of this machine."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = re.search(r"^PPid:\t(\d+)", (folder / "status").read_text(), re.MULTILINE)
        except OSError:
            continue
        if parent:
            children.setdefault(int(parent[1]), []).append(int(folder.name))
    return children


def total(sizes: dict[str, float]) -> float:
    return round(sum(sizes.values()), 1)


def base_install_mb() -> float:
    """Install what a web process needs into a new environment, and return what that takes on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        command = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--constraint", str(ROOT / "constraints.txt"), str(ROOT)]
        subprocess.run(command, check=True)
        files = (path.lstat() for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink())
        return round(sum(status.st_blocks * 512 for status in files) / 1e6, 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a site weighs in memory and on the disk.")
    parser.add_argument("--train", type=Path, required=True, help="texts with their labels")
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--labels", type=int, default=60, help="answers to give")
    parser.add_argument("--rest", type=float, default=120.0, help="seconds without anything to do")
    parser.add_argument("--install", action="store_true", help="measure a base install as well")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
