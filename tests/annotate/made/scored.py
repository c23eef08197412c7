"""Holdout documents that somebody has answered, and versions that have scored them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from annotate.models import Annotation, AnnotationLabel, Document, ModelVersion, Project, User
from annotate.models.documents import Half, Lane
from annotate.models.versions import Sample
from annotate.services.versions import samples
from annotate.services.versions.samples import ScoredDocuments


def hold_out(
    project: Project, by: User, answers: Sequence[Sequence[str]], half: str = Half.REPORTING
) -> list[Document]:
    """Add a holdout document for each answer, which is the names of its labels."""
    start, found = project.documents.count(), []
    labels = {label.name: label for label in project.labels.all()}
    for n, names in enumerate(answers):
        text = f"held-out text {start + n}"
        digest = hashlib.sha256(text.encode()).hexdigest()
        document = Document.objects.create(
            project=project, text=text, sha256=digest, lane=Lane.HOLDOUT, half=half
        )
        annotation = Annotation.objects.create(
            project=project, document=document, annotator=by, outcome="answered"
        )
        for name in names:
            AnnotationLabel.objects.create(annotation=annotation, label=labels[name])
        found.append(document)
    return found


def add_scored(
    project: Project,
    documents: Sequence[Document],
    scores: Sequence[Sequence[float]],
    *,
    number: int = 1,
    thresholds: Sequence[float] = (0.5, 0.5, 0.5),
    raw: Sequence[Sequence[float]] | None = None,
    **fields: object,
) -> ModelVersion:
    """Add a version whose scores of the documents are kept, in the order of the project's labels."""
    version = ModelVersion.objects.create(
        project=project,
        number=number,
        family="tfidf",
        labelled=9,
        calibrated=True,
        label_ids=list(project.labels.order_by("pk").values_list("pk", flat=True)),
        **{"bundle": "somewhere", "holdout_documents": len(documents), **fields},
    )
    keep(version, Sample.HOLDOUT, documents, scores, thresholds=thresholds, raw=raw)
    return version


def keep(
    version: ModelVersion,
    sample: Sample,
    documents: Sequence[Document],
    scores: Sequence[Sequence[float]],
    *,
    thresholds: Sequence[float] = (0.5, 0.5, 0.5),
    raw: Sequence[Sequence[float]] | None = None,
    population: int | None = None,
) -> None:
    samples.keep(
        version=version,
        sample=sample,
        scored=ScoredDocuments(
            keys=np.array([document.pk for document in documents], np.int64),
            scores=np.array(scores, np.float32).reshape(len(documents), -1 if documents else 3),
            raw=None if raw is None else np.array(raw, np.float32),
            thresholds=np.array(thresholds, np.float32),
            population=len(documents) if population is None else population,
        ),
    )
