"""What the folds of a published version's run say of the pool documents that it learned."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db import transaction

from annotate.models import Document, ModelVersion, OutOfFoldScore
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.versions.rescore import CHUNK, PAUSE_SECONDS, best_of
from annotate.task_types.answers import told_in
from training.spans import SpansOutOfFold
from training.types import Answer, OutOfFold

FIELDS = ["project", "version", "answer", "disagrees", "is_suspect", "learned_at"]


def store(
    *,
    version: ModelVersion,
    snapshot: Snapshot[Any],
    said: OutOfFold | SpansOutOfFold | None,
    are_confidences: bool | None = None,
) -> int:
    """Write a row for each document that was scored, and remove those of earlier versions; return how many.

    `are_confidences` tells it of the scores where they are not the version's own.
    Stops where another version has been published meanwhile: that one writes its own.
    """
    scored = 0 if said is None else len(said.rows)
    calibrated = version.calibrated if are_confidences is None else are_confidences
    for start in range(0, scored, CHUNK):
        if not ModelVersion.objects.published().filter(pk=version.pk).exists():
            return start
        assert said is not None
        _write(_rows(version, snapshot, said, range(start, min(start + CHUNK, scored)), calibrated))
        time.sleep(PAUSE_SECONDS)
    stale = OutOfFoldScore.objects.filter(project=version.project_id).exclude(version=version)
    while keys := list(stale.order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        OutOfFoldScore.objects.filter(pk__in=keys).delete()
        time.sleep(PAUSE_SECONDS)
    return scored


def _rows(
    version: ModelVersion,
    snapshot: Snapshot[Any],
    said: OutOfFold | SpansOutOfFold,
    positions: Sequence[int],
    calibrated: bool,
) -> list[OutOfFoldScore]:
    labels = [int(key) for key in snapshot.dataset.schema.keys]
    if isinstance(said, SpansOutOfFold):
        differs, answers = said.differs, _span_answers(labels, said, positions)
    else:
        differs = (said.decisions != (said.targets > 0)).any(axis=1)  # (scored,)
        answers = _document_answers(labels, said, positions)
    return [
        OutOfFoldScore(
            project_id=version.project_id,
            document_id=int(snapshot.document_ids[said.rows[i]]),
            version=version,
            answer=answer.told(calibrated=calibrated),
            disagrees=bool(differs[i]),
            is_suspect=bool(said.suspects[i]) and calibrated,
            learned_at=snapshot.taken_at,
        )
        for i, answer in zip(positions, answers, strict=True)
    ]


def _document_answers(labels: Sequence[int], said: OutOfFold, positions: Sequence[int]) -> list[Answer]:
    return [
        # What was answered keeps its score as well, where it is not among the best few.
        best_of(
            labels,
            said.scores[i],
            decided=np.flatnonzero(said.decisions[i]).tolist(),
            kept=np.flatnonzero(said.targets[i]).tolist(),
        )
        for i in positions
    ]


def _span_answers(labels: Sequence[int], said: SpansOutOfFold, positions: Sequence[int]) -> list[Answer]:
    of_key = {str(label): label for label in labels}
    return [told_in(said.answers[i], of_key) for i in positions]


@transaction.atomic
def _write(rows: list[OutOfFoldScore]) -> None:
    standing = set(
        Document.objects.filter(pk__in=[row.document_id for row in rows]).values_list("pk", flat=True)
    )
    OutOfFoldScore.objects.bulk_create(
        [row for row in rows if row.document_id in standing],
        update_conflicts=True,
        unique_fields=["document"],
        update_fields=FIELDS,
    )
