"""The site's real programs, started for one test in a folder of its own and ended after it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from annotate.embedded.programs import Program

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 15
Start = Callable[[Program], "subprocess.Popen[bytes]"]


def environ_of(home: Path, settings: str, **more: str) -> dict[str, str]:
    """Return the environment of a site on embedded back ends."""
    kept = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    return kept | {
        "WINNOW_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": str(ROOT),
        **more,
    }


@contextmanager
def starting(environ: dict[str, str]) -> Iterator[Start]:
    """Give what starts a program; all are ended afterwards, the broker last: workers hand back to it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(program: Program) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(program.command, env=environ | program.environ, cwd=ROOT))
        return started[-1]

    try:
        yield start
    finally:
        for process in reversed(started):
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
