"""What the published model says of every document, those that people label next first."""

from __future__ import annotations

import time

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from annotate.models import Document, ModelVersion, Prediction, Project, TrainingRun
from annotate.services.corpus import vector_store
from annotate.services.versions.loaded_bundles import suited
from training.bundles.cascade import Serving, open_predictor
from training.registry import FAMILIES
from training.types import Embedder, TrainingError

CHUNK = 250  # rows of one transaction: on SQLite, annotators wait while one is written
PAUSE_SECONDS = 0.02  # between two transactions, so that an annotator who waits gets the lock
KEPT_SCORES = 5
FIELDS = ["version", "scores", "decided", "margin"]


def prelabel(*, version: ModelVersion) -> int:
    """Predict every document by a published version; return how many.

    Raises `TrainingError` where its bundle or its encoder is broken: the predictions of the version before
    stay, and the run says so.
    """
    # A cascade is no family of the registry; its encoder is loaded because one of its parts may need it.
    needs_none = version.family in FAMILIES and not FAMILIES[version.family].reads_vectors
    try:
        embedder = None
        if not needs_none and vector_store.any_for(project=version.project):
            embedder = vector_store.embedder(version.encoder)
        return rescore(project=version.project, version=version, embedder=embedder)
    except TrainingError as error:
        sentence = _(
            "Version %(number)s cannot predict, so suggestions stay those of the version before: %(why)s"
        )
        told = sentence % {"number": version.number, "why": error}
        TrainingRun.objects.filter(versions=version).update(error=told)
        raise TrainingError(told) from error


def rescore(*, project: Project, version: ModelVersion, embedder: Embedder | None = None) -> int:
    """Write the version's prediction of every document, those in the queue first; return how many.

    Stops where another version has been published meanwhile: that one writes its own.
    """
    predictor = open_predictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
    fitting = suited(predictor, embedder)
    waiting = project.assignments.waiting().order_by("rank").values_list("document", flat=True)
    documents = Document.objects.filter(project=project).order_by("-lane", "sha256")
    keys = list(dict.fromkeys([*waiting, *documents.values_list("pk", flat=True)]))
    written = 0
    for start in range(0, len(keys), CHUNK):
        if not ModelVersion.objects.published().filter(pk=version.pk).exists():
            break
        rows = _predictions(predictor, version, keys[start : start + CHUNK], fitting)
        Prediction.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["document"], update_fields=FIELDS
        )
        written += len(rows)
        time.sleep(PAUSE_SECONDS)
    return written


def _predictions(
    predictor: Serving, version: ModelVersion, keys: list[int], embedder: Embedder | None
) -> list[Prediction]:
    texts = dict(Document.objects.filter(pk__in=keys).order_by("pk").values_list("pk", "text"))
    scores = predictor.predict_proba(list(texts.values()), embedder=embedder)
    # The margin of a document is how far it is from being decided otherwise.
    if predictor.schema.task.has_thresholds:
        margins = np.abs(scores - predictor.thresholds).min(axis=1).astype(np.float32)
    elif scores.shape[1] < 2:
        margins = np.ones(len(scores), np.float32)
    else:
        ordered = np.sort(scores, axis=1)
        margins = ordered[:, -1] - ordered[:, -2]
    labels = [int(key) for key in predictor.schema.keys]
    top = np.argsort(-scores, axis=1, kind="stable")[:, :KEPT_SCORES]
    return [
        Prediction(
            document_id=key,
            version=version,
            scores=[[labels[j], round(float(row[j]), 4)] for j in best],
            decided=[labels[j] for j in decided],
            margin=float(margin),
        )
        for key, row, best, decided, margin in zip(
            texts, scores, top, predictor.decide(scores), margins, strict=True
        )
    ]
