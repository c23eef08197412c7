from __future__ import annotations

import re
from pathlib import Path

from annotate.embedded import programs
from annotate.queues import QUEUES
from tests.test_architecture import ROOT, python_files, shown


def test_the_embedded_site_serves_each_queue(tmp_path: Path) -> None:
    commands = [program.command for program in programs.site(tmp_path, "127.0.0.1", 8000)]
    served = [command[command.index("--queues") + 1] for command in commands if "--queues" in command]
    assert sorted(served) == sorted(QUEUES)


def test_the_containers_serve_each_queue() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert sorted(re.findall(r"--queues, (\w+)", compose)) == sorted(QUEUES)


def test_the_names_of_queues_stand_in_one_place() -> None:
    """`training` is the name of our library as well, so the other two are looked for."""
    named = re.compile(r"[\"']finetuning[\"']|queue=?[^\n]*[\"'](interactive|training)[\"']")
    files = [*python_files("annotate"), *(ROOT / "templates").rglob("*.html")]
    found = [shown(path) for path in files if named.search(path.read_text(encoding="utf-8"))]
    assert found == ["annotate/queues.py"]


def test_each_queue_says_what_waits_for_it() -> None:
    assert all(str(sentence).endswith(".") for sentence in QUEUES.values())
