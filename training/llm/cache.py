"""Answers that are kept, so that an equal question about an equal text is paid for once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from training.types import Json, TrainingError


class AnswerCache(Protocol):
    """Where answers are kept; the command line uses a file."""

    def get(self, key: str) -> tuple[str, ...] | None:
        """Return the label keys of an answer, None where there is none."""

    def put(self, key: str, labels: tuple[str, ...]) -> None:
        """Keep an answer."""


def answer_key(url: str, model: str, digest: str, options: Mapping[str, Json], text: str) -> str:
    """Return the SHA-256 of all that an answer depends on: the model, the prompt, and the text."""
    parts = [
        url,
        model,
        digest,
        dict(options),
        hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class SqliteCache:
    """Answers in an SQLite file; each is a transaction, so none is lost when the program is killed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = sqlite3.connect(path, timeout=20)
            try:
                with self._connection as opened:
                    opened.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, labels TEXT)")
            except sqlite3.Error:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise TrainingError(f"Answers cannot be kept in {path} ({error}). Name another file.") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, key: str) -> tuple[str, ...] | None:
        """Return the label keys of an answer, None where there is none."""
        with closing(self._connection.execute("SELECT labels FROM answers WHERE key = ?", (key,))) as rows:
            row = rows.fetchone()
        return None if row is None else tuple(json.loads(row[0]))

    def put(self, key: str, labels: tuple[str, ...]) -> None:
        """Keep an answer in place of an earlier one."""
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, json.dumps(labels))
            )
