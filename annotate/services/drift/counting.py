"""Counts what the model answers to programs, a few seconds at once, so that no answer waits for it.

Imported texts are counted as well, when the model first predicts them.

Each process of the site keeps its counts until a thread writes them; a process that is killed takes those of
the last two seconds with it.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from annotate.models import (
    AskedText,
    Corridor,
    Document,
    ModelVersion,
    Prediction,
    PredictionTally,
    Project,
)
from annotate.services.versions.predictions import Predictions
from annotate.task_types import answers
from training.storable import is_blank, printable

WHOLE = (
    50  # texts, after which a tally is full: a window takes whole ones, and is to be hardly larger than set
)
KEPT_TEXTS = 500  # of a window, drawn evenly, where a project keeps any
KEPT_CHARS = 2_000  # of each: what it is about stands at its beginning
MOST_WAITING = 5_000_000  # characters of texts that were answered and not tallied yet
NO_LABEL = ""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class RunningTally:
    """The answers of one version since `began_at`, with their texts in case the project keeps any."""

    began_at: datetime
    texts: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    moments: dict[str, list[float]] = field(default_factory=dict)
    asked: list[tuple[str, bool]] = field(default_factory=list)  # whether the text is whole

    def add(self, text: str, labels: Sequence[str | int], confidence: float | None) -> None:
        self.texts += 1
        for label in labels or (NO_LABEL,):
            self.classes[str(label)] += 1
        self._note("characters", len(text))
        if confidence is not None:
            self._note("confidence", confidence)
        self.asked.append((text[:KEPT_CHARS], len(text) <= KEPT_CHARS))

    def _note(self, name: str, value: float) -> None:
        number, total, squares = self.moments.get(name, (0, 0.0, 0.0))
        self.moments[name] = [number + 1, total + value, squares + value * value]


class PredictionCounter:
    """The counts of this process that are not written yet, by project and the number of the version.

    An answer only leaves what it said here; the thread that writes tallies it.
    """

    def __init__(self) -> None:
        # Every request takes the first for a moment; who holds the second, of the tallies, may take it too.
        self._lock, self._tallying = threading.Lock(), threading.Lock()
        self._said: list[tuple[tuple[int, int], datetime, Sequence[str], Predictions]] = []
        self._characters = 0  # of the texts in `_said`
        self._open: dict[tuple[int, int], RunningTally] = {}
        self._full: list[tuple[tuple[int, int], RunningTally]] = []
        self._writer: threading.Thread | None = None

    def add(self, project: Project, texts: Sequence[str], said: Predictions) -> None:
        with self._lock:
            self._said.append(((project.pk, said.version), timezone.now(), texts, said))
            self._characters += sum(map(len, texts))
            is_much = self._characters > MOST_WAITING
            if self._writer is None and settings.COUNTS_WRITTEN_AFTER is not None:
                self._writer = threading.Thread(target=self._write_on, daemon=True)
                self._writer.start()
                atexit.register(self.write)
        if is_much:
            with self._tallying:
                self._tally()

    def write(self) -> int:
        """Store what was counted; return how many tallies. What cannot be stored now is kept for later."""
        with self._tallying:
            self._tally()
            counted = [*self._full, *self._open.items()]
            self._full, self._open = [], {}
        stored = 0
        for key in dict.fromkeys(key for key, _tally in counted):
            try:
                stored += _store(*key, [tally for of, tally in counted if of == key])
            except DatabaseError:
                logger.exception("What the models answered could not be stored; it is tried again")
                with self._tallying:
                    self._full = [*(one for one in counted if one[0] == key), *self._full]
        return stored

    def _tally(self) -> None:
        """Count what was said meanwhile; no request waits for it, except one with very long texts."""
        with self._lock:
            waiting, self._said, self._characters = self._said, [], 0
        for key, at, texts, said in waiting:
            for text, one in zip(texts, said.texts, strict=True):
                tally = self._open.get(key)
                if tally is None:
                    tally = self._open[key] = RunningTally(at)
                tally.add(text, answers.labels_of(one.answer), answers.confidence_of(one.answer))
                if tally.texts == WHOLE:
                    self._full.append((key, self._open.pop(key)))

    def _write_on(self) -> None:
        """Write every few seconds as long as there is something, then end: a site at rest has no thread."""
        while True:
            time.sleep(settings.COUNTS_WRITTEN_AFTER or 0)
            try:
                self.write()
            finally:
                connection.close()
            with self._tallying, self._lock:
                if not self._said and not self._open and not self._full:
                    self._writer = None
                    atexit.unregister(self.write)
                    return


COUNTER = PredictionCounter()


def count_imported(rows: Sequence[Prediction]) -> None:
    """Count the first predictions of those documents of a project that came by an import.

    Others are texts that programs asked about, and were counted then.
    """
    imported = Document.objects.filter(pk__in=[row.document_id for row in rows], source__isnull=False)
    texts = dict(imported.values_list("pk", "text"))
    rows = [row for row in rows if row.document_id in texts]
    for start in range(0, len(rows), WHOLE):
        some = rows[start : start + WHOLE]
        tally = RunningTally(timezone.now())
        for row in some:
            tally.add(texts[row.document_id], answers.labels_of(row.answer), row.confidence)
        _store(some[0].project_id, some[0].version.number, [tally], imported=len(some))


@transaction.atomic
def _store(project_id: int, number: int, tallies: Sequence[RunningTally], *, imported: int = 0) -> int:
    """Store tallies of a version, unless that is gone with its project meanwhile; return how many there were.

    `imported` is how many texts of each came by an import.
    """
    version = ModelVersion.objects.filter(project=project_id, number=number).select_related("project").first()
    if version is None:
        return len(tallies)
    rows = PredictionTally.objects.bulk_create(
        PredictionTally(
            project=version.project,
            version=version,
            texts=tally.texts,
            imported=imported,
            classes=dict(tally.classes),
            moments=tally.moments,
            began_at=tally.began_at,
            ended_at=timezone.now(),
        )
        for tally in tallies
    )
    corridor = Corridor.of(version.project)
    if corridor.keeps_texts(timezone.localdate()):
        share = min(1.0, KEPT_TEXTS / corridor.window)
        AskedText.objects.bulk_create(
            AskedText(
                project=version.project,
                tally=row,
                text=printable(text),
                sha256=_digest(text) if is_whole else "",
            )
            for row, tally in zip(rows, tallies, strict=True)
            for text, is_whole in _drawn(tally.asked, share)
        )
    return len(tallies)


def _drawn(asked: Sequence[tuple[str, bool]], share: float) -> list[tuple[str, bool]]:
    """Draw a share of the texts that are not blank."""
    seen = [one for one in asked if not is_blank(printable(one[0]))]
    return random.sample(seen, math.ceil(share * len(seen)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
