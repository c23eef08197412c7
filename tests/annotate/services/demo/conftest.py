"""A stand-in for the archive on the package index: the same files with other sentences."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping

import pytest

from annotate.services.demo import texts

WORDS = {
    "tweet": "lol haha omg",
    "film": "plot actors scene",
    "product": "battery price box",
    "news": "senate law vote",
}
EACH = 60


def line(source: str, n: int) -> str:
    first, second, third = WORDS[source].split()
    return f"{n}\t{(-3, 0, 1)[n % 3]}.0\t{first} {second} number {n} {third}"


def pack(tables: Mapping[str, bytes]) -> bytes:
    folder = io.BytesIO()
    with tarfile.open(fileobj=folder, mode="w:gz") as packed:
        for name, content in tables.items():
            info = tarfile.TarInfo(f"hutto_ICWSM_2014/{name}")
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(texts.TABLES, folder.getvalue())
    return archive.getvalue()


@pytest.fixture
def pack_tables() -> Callable[[Mapping[str, bytes]], bytes]:
    return pack


@pytest.fixture
def archive() -> bytes:
    """The four tables with 60 sentences each, which a model learns easily to tell apart."""
    return pack(
        {
            name: "\n".join(line(source, n) for n in range(EACH)).encode()
            for name, source in texts.SOURCES.items()
        }
    )
