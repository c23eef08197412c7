"""A small file system of a bench's own."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

DISK_MB = 400


class SmallDisk:
    """A file system for the site alone, so that it can be filled; no folder where mounting is not allowed."""

    def __init__(self, megabytes: int = DISK_MB) -> None:
        self.folder: Path | None = None
        self._megabytes = megabytes

    def __enter__(self) -> SmallDisk:
        folder = Path(tempfile.mkdtemp(prefix="winnow-disk-"))
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._megabytes}m", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True).returncode == 0:
            self.folder = folder
        else:
            folder.rmdir()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.folder is not None:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
            self.folder.rmdir()
