"""Reads settings from the environment; a value that cannot be read stops the start with a sentence."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}
MAIL_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
DATABASE_SCHEMES = {"sqlite", "postgres", "postgresql"}
SOCKET_PATH_LIMIT = 100  # bytes; Linux allows 107, other systems a few less


def env(name: str, default: str = "") -> str:
    return os.environ.get(name, default)


def env_bool(name: str, *, default: bool = False) -> bool:
    value = env(name, "1" if default else "0").strip().lower()
    if value not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no; use 1 or 0.")
    return value in TRUE


def env_number(name: str, default: T, parse: Callable[[str], T]) -> T:
    value = env(name)
    if not value:
        return default
    try:
        return parse(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value!r} is not a number.") from error


def env_int(name: str, default: int) -> int:
    return env_number(name, default, int)


def env_float(name: str, default: float) -> float:
    return env_number(name, default, float)


def env_list(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in env(name, default).split(",") if part.strip()]


def env_choice(name: str, default: str, choices: set[str]) -> str:
    value = env(name, default).strip().lower()
    if value not in choices:
        raise ImproperlyConfigured(
            f"{name}={value!r} is not known; use one of: {', '.join(sorted(choices))}."
        )
    return value


def env_networks(name: str) -> list[str]:
    """Read networks as in `10.1.0.0/16,fd00::/8`."""
    found = env_list(name)
    for network in found:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} holds {network!r}, which is no network; write it as in 10.1.0.0/16."
            ) from error
    return found


def keep_files_private() -> None:
    """Let files that this process makes from now on be read by its own user only."""
    os.umask(0o077)


class Reporting:
    """The standard error: what cannot be written there, on a full disk or into a closed pipe, is lost.

    Nothing but reports goes there, and what they report on has to go on.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_standard_streams() -> None:
    """Put /dev/null where standard input, output or error was closed by whoever started this process.

    Else the next file that is opened, such as a database, gets the number of that stream, and whatever a
    library reports goes into that file.
    """
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:  # the lowest free number is taken each time
        null = os.dup(null)
    os.close(null)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    if not isinstance(sys.stderr, Reporting):
        stream = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
        sys.stderr = Reporting(stream)


def keep_temporary_files_in(folder: Path) -> None:
    """Make this process put its temporary files, uploads among them, where a sweeper finds what it leaves.

    Raises `OSError` where the folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(folder)


def secret_key(home: Path) -> str:
    """Return SECRET_KEY, or the key that this installation made for itself at its first start."""
    if value := env("SECRET_KEY"):
        return value
    try:
        home.mkdir(parents=True, exist_ok=True)
        return _kept_key(home / "secret-key")
    except OSError as error:
        raise ImproperlyConfigured(
            f"Winnow cannot write to {home}: {error.strerror}. "
            "Give this user the folder, or name another one in WINNOW_HOME."
        ) from error


def _kept_key(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    key = secrets.token_urlsafe(50)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


def database_url(home: Path) -> str:
    url = env("DATABASE_URL") or f"sqlite:///{home / 'winnow.sqlite3'}"
    scheme = urlsplit(url).scheme
    if scheme not in DATABASE_SCHEMES:
        raise ImproperlyConfigured(
            f"DATABASE_URL has the scheme “{scheme}”; use sqlite:///… or postgres://user:password@host/name."
        )
    return url


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over; without a host none is sent."""

    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    starts_tls: bool = False
    is_tls: bool = False


def mail_server(url: str) -> MailServer:
    """Read `smtp+starttls://user:password@host:587`, `smtps://…` or, without encryption, `smtp://host`."""
    if not url:
        return MailServer()
    parts = urlsplit(url)
    if parts.scheme not in MAIL_PORTS:
        raise ImproperlyConfigured(
            f"EMAIL_URL has the scheme “{parts.scheme}”; use smtp+starttls://user:password@host:587, "
            "smtps://user:password@host:465, or smtp://host for a server on a network that you trust."
        )
    try:
        port = parts.port or MAIL_PORTS[parts.scheme]
    except ValueError as error:
        raise ImproperlyConfigured("EMAIL_URL has a port that is no number from 0 to 65535.") from error
    if not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL names no host; use smtp+starttls://user:password@host:587.")
    return MailServer(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starts_tls=parts.scheme == "smtp+starttls",
        is_tls=parts.scheme == "smtps",
    )


def embedded_socket(home: Path) -> Path:
    """Return the path of the embedded broker's socket, short enough for the kernel wherever `home` is."""
    path = home / "run" / "valkey.sock"
    if len(str(path)) <= SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"winnow-{digest}.sock"


def redis_url(home: Path) -> str:
    return env("REDIS_URL") or f"unix://{embedded_socket(home)}"


def celery_broker_url(url: str) -> str:
    """Return the same server in kombu's spelling, which names a unix socket in its own way."""
    return url.replace("unix://", "redis+socket://", 1)
