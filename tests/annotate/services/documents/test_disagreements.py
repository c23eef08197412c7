from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.utils import timezone

from annotate.models import (
    Annotation,
    AnnotationLabel,
    Document,
    ModelVersion,
    OutOfFoldScore,
    Prediction,
    Project,
    User,
)
from annotate.models.documents import Lane
from annotate.services.documents import disagreements, filters
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
    cache.clear()  # which a publication, by which scores are made, would have passed by
    assert (found("disagree"), found("label_error")) == (["learned"], ["learned"])
    ModelVersion.objects.update(stage="retired")
    assert (found("disagree"), found("label_error")) == ([], [])


@pytest.mark.parametrize(
    ("predicted", "answers", "is_found"),
    [
        (("red", "green"), [("green", "red")], False),
        (("red", "green"), [("red",)], True),
        (("red",), [("red", "green")], True),
        ((), [()], False),
        ((), [("red",)], True),
        (("red",), [()], True),
        (("red",), [("green",), ("red",)], False),
        (("red",), [("green",), ("blue",)], True),
        (("red",), [], False),
        (None, [("red",)], False),
    ],
)
def test_of_the_holdout_counts_whether_anybody_chose_the_same_labels(
    multi_project: Project,
    add_documents: Callable[..., list[Document]],
    predicted: tuple[str, ...] | None,
    answers: list[tuple[str, ...]],
    is_found: bool,
) -> None:
    labels = dict(multi_project.labels.values_list("name", "pk"))
    (document,) = add_documents(multi_project, "text", lane=Lane.HOLDOUT)
    if predicted is not None:
        version = ModelVersion.objects.create(
            project=multi_project, number=1, family="tfidf", labelled=1, holdout_documents=1
        )
        said = Answer(tuple(labels[name] for name in predicted))
        Prediction.objects.create(document=document, version=version, answer=said)
    for number, names in enumerate(answers):
        annotation = Annotation.objects.create(
            project=multi_project,
            document=document,
            annotator=User.objects.create(username=f"person {number}"),
            outcome="answered",
        )
        for name in names:
            AnnotationLabel.objects.create(annotation=annotation, label_id=labels[name])
    found = filters.find(multi_project, {"disagree": True})
    assert found.exists() == is_found
    assert len(disagreements.with_model(multi_project)) == is_found
