"""What is done before the programs start: tables are migrated and static files collected."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import OperationalError, connections

OTHERS = stat.S_IRWXG | stat.S_IRWXO
# What the site makes in its home.
OWN_NAMES = [
    "bundles", "broker", "demo", "encoders", "hub", "run", "scratch", "secret-key", "static", "tmp",
    "uploads", "winnow.sqlite3*",
]  # fmt: skip


class NotStarted(Exception):
    """A program or a back end does not answer; the message is a sentence for a person."""


def close_to_others(home: Path) -> None:
    """Take from other users of this machine what they could read or write in a home of an earlier version.

    Only what the site has made itself is changed, and nothing of another user. A folder that everybody may
    write into, as /tmp, is no home of one site, so its own rights stay.
    """
    home.mkdir(parents=True, exist_ok=True)
    if not home.stat().st_mode & stat.S_ISVTX:
        _close(home)
    for name in OWN_NAMES:
        for found in home.glob(name):
            _close(found)
            if not found.is_symlink():  # os.walk would enter it, though it enters no link below
                for folder, folders, files in os.walk(found):
                    for inner in (*folders, *files):
                        _close(Path(folder, inner))


def _close(path: Path) -> None:
    status = path.lstat()
    is_ours = status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode)
    if is_ours and status.st_mode & OTHERS:
        path.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)


def migrate() -> None:
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        raise NotStarted(f"The database that DATABASE_URL names does not work: {error}") from error
    connections.close_all()  # the programs open connections of their own


def collect_static() -> None:
    """Collect only when a file changed: hashing and compressing all of them takes seconds."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{storage.location}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    fingerprint = digest.hexdigest()
    stamp = Path(settings.STATIC_ROOT) / ".fingerprint"
    if stamp.exists() and stamp.read_text() == fingerprint:
        return
    call_command("collectstatic", interactive=False, verbosity=0, stdout=io.StringIO())
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(fingerprint)
