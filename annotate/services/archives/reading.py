"""An archive that somebody brings: it is looked at whole, within limits, before a row is stored."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _

from annotate.services.exports.archive import FORMAT, MANIFEST, PROJECT
from training.storable import DECODER
from training.types import TrainingError

ROWS = ("documents.jsonl", "versions.jsonl", "annotations.jsonl", "comments.jsonl", "events.jsonl")
# Each part begins with a letter or a digit: no name leads out of its folder.
PART = r"[A-Za-z0-9][\w.-]{0,99}"
BUNDLE_FILE = re.compile(rf"bundles/(\d{{1,6}})/((?:{PART}/){{0,3}}{PART})", re.ASCII)
MOST_MEMBERS = 20_000
MOST_MANIFEST = 8 * 1024**2
LONGEST_LINE = 32 * 1024**2
# What is unpacked may be so many times as large as the largest file that may be uploaded.
MOST_TIMES = 8
BLOCK = 1024**2


class ArchiveError(TrainingError):
    """Why an archive cannot be restored, as a sentence for whoever brought it."""


def _fault(sentence: str, name: str) -> ArchiveError:
    return ArchiveError(sentence % {"name": name[:100]})


class Archive:
    """An open archive whose names, sizes and manifest are in order; use it as a context."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ArchiveError(_("The file is no archive of a project, or it was cut off.")) from error
        try:
            self._sizes = self._checked_sizes()
            self.members = self._manifest()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    def _checked_sizes(self) -> dict[str, int]:
        found = self._zip.infolist()
        names = [member.filename for member in found]
        if len(set(names)) < len(names) or len(names) > MOST_MEMBERS:
            raise ArchiveError(_("The archive holds too many files, or one twice."))
        for member in found:
            name = member.filename
            if name not in (MANIFEST, PROJECT, *ROWS) and not BUNDLE_FILE.fullmatch(name):
                raise _fault(_("The archive holds “%(name)s”, which no archive of a project has."), name)
            if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _fault(_("“%(name)s” in the archive is packed in a way that is not read here."), name)
        if sum(member.file_size for member in found) > MOST_TIMES * settings.IMPORT_MAX_BYTES:
            raise ArchiveError(
                _("The archive unpacks to more than this site takes. Raise WINNOW_IMPORT_MAX_MB for it.")
            )
        return {member.filename: member.file_size for member in found}

    def _manifest(self) -> dict[str, dict[str, Any]]:
        if self._sizes.get(MANIFEST, MOST_MANIFEST + 1) > MOST_MANIFEST:
            raise ArchiveError(_("The archive has no list of what it holds, or one that is far too long."))
        content = self._json(self._whole(MANIFEST), MANIFEST)
        members = content.get("members")
        made_by = content.get("format")
        if not isinstance(made_by, int) or not isinstance(members, dict):
            raise ArchiveError(_("The archive does not say what it holds."))
        if made_by > FORMAT:
            raise ArchiveError(
                _("The archive was made by a newer version of Winnow. Update this site, then restore it.")
            )
        if set(members) != set(self._sizes) - {MANIFEST} or not {PROJECT, *ROWS} <= set(members):
            raise ArchiveError(_("The archive holds other files than it says, so it was changed or cut off."))
        for name, told in members.items():
            if not isinstance(told, dict) or told.get("bytes") != self._sizes[name]:
                raise _fault(_("“%(name)s” in the archive has another size than it says."), name)
        return members

    def verify(self) -> None:
        """Read every member once; raises `ArchiveError` for the first whose digest is another one."""
        for name, told in self.members.items():
            digest = hashlib.sha256()
            for block in self.blocks(name):
                digest.update(block)
            if digest.hexdigest() != told.get("sha256"):
                raise _fault(_("“%(name)s” in the archive was changed after it was written."), name)

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield a member in blocks, never more than its header says."""
        try:
            with self._zip.open(name) as member:
                while block := member.read(BLOCK):
                    yield block
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, zlib.error) as error:
            raise _fault(_("“%(name)s” in the archive is damaged."), name) from error

    def project(self) -> dict[str, Any]:
        if self._sizes[PROJECT] > LONGEST_LINE:
            raise _fault(_("A line of “%(name)s” is too long."), PROJECT)
        return self._json(self._whole(PROJECT), PROJECT)

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        with self._zip.open(name) as member:
            for line in _lines(member, name):
                yield self._json(line, name)

    def bundle_files(self) -> Iterator[tuple[int, str, str]]:
        """Yield the version's number, the path within its bundle, and the member of each file."""
        for name in self.members:
            if found := BUNDLE_FILE.fullmatch(name):
                yield int(found[1]), found[2], name

    def _whole(self, name: str) -> bytes:
        return b"".join(self.blocks(name))

    @staticmethod
    def _json(line: bytes, name: str) -> dict[str, Any]:
        try:
            content = DECODER.decode(line.decode())
        except (ValueError, RecursionError) as error:
            raise _fault(_("“%(name)s” in the archive is no JSON."), name) from error
        if not isinstance(content, dict):
            raise _fault(_("“%(name)s” in the archive holds something else than rows."), name)
        return content


def _lines(member: IO[bytes], name: str) -> Iterator[bytes]:
    while line := member.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise _fault(_("A line of “%(name)s” is too long."), name)
        yield line
