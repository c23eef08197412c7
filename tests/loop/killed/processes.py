"""A driver of one of these tests as a process, and what it tells at its end."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.loop.started import ROOT


def driving(arguments: list[str], environ: dict[str, str]) -> subprocess.Popen[str]:
    command, pipe = [sys.executable, "-m", *arguments], subprocess.PIPE
    return subprocess.Popen(command, env=environ, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def told_by(driver: subprocess.Popen[str]) -> dict[str, Any]:
    told, why = driver.communicate(timeout=300)
    assert driver.returncode == 0, why
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found
