from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from annotate.models import Annotation, Document, ModelVersion, OutOfFoldScore, Project, User
from annotate.services.documents import filters
from training.types import Answer

pytestmark = pytest.mark.django_db


def test_of_the_pool_counts_what_folds_say_until_somebody_decides_anew(
    project: Project, annotator: User, lead: User, add_documents: Callable[..., list[Document]]
) -> None:
    def found(name: str) -> list[str]:
        return [document.text for document in filters.find(project, {name: True})]

    def decide(by: User) -> None:
        Annotation.objects.create(project=project, document=learned, annotator=by, outcome="answered")

    learned, _other = add_documents(project, "learned", "other")
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=1, holdout_documents=0, stage="published"
    )
    decide(annotator)
    folded = OutOfFoldScore.objects.create(
        project=project,
        document=learned,
        version=version,
        answer=Answer((project.labels.get(name="blue").pk,)),
        disagrees=True,
        is_suspect=True,
        learned_at=timezone.now(),
    )
    assert (found("disagree"), found("label_error")) == (["learned"], ["learned"])
    decide(lead)
    assert (found("disagree"), found("label_error")) == ([], [])
    folded.learned_at = timezone.now()
    folded.save()
    assert (found("disagree"), found("label_error")) == (["learned"], ["learned"])
    ModelVersion.objects.update(stage="retired")
    assert (found("disagree"), found("label_error")) == ([], [])
