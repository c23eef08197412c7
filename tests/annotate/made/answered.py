"""Documents that somebody has answered, or that a model has said something of."""

from __future__ import annotations

from annotate.models import Annotation, AnnotationLabel, Document, ModelVersion, Prediction, User
from training.types import Answer


def answer(document: Document, user: User, label: str = "", outcome: str = "answered") -> Annotation:
    annotation = Annotation.objects.create(
        project=document.project, document=document, annotator=user, outcome=outcome
    )
    if label:
        AnnotationLabel.objects.create(annotation=annotation, label=document.project.labels.get(name=label))
    return annotation


def predict(document: Document, *labels: str) -> None:
    version, _new = ModelVersion.objects.get_or_create(
        project=document.project,
        number=1,
        defaults={"family": "tfidf", "labelled": 1, "holdout_documents": 1},
    )
    ids = [document.project.labels.get(name=label).pk for label in labels]
    Prediction.objects.create(
        document=document, version=version, answer=Answer(tuple(ids), scores=tuple((pk, 0.8) for pk in ids))
    )
