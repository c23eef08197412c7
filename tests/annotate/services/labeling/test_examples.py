"""Which texts are shown as examples of a label, and which never."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from annotate.models import Annotation, Assignment, Document, Label, Prediction, Project, User
from annotate.services.labeling import examples
from tests.annotate.made.bundles import add_version
from training.types import Answer

pytestmark = pytest.mark.django_db
Annotate = Callable[..., Annotation]
Add = Callable[..., list[Document]]


@pytest.fixture
def red(project: Project) -> Label:
    return project.labels.get(name="red")


def texts(label: Label, besides: int | None = None) -> list[str]:
    return [example.text for example in examples.of_label(label, besides=besides)]


def test_the_clearest_three_come_first_and_those_without_a_score_last(
    project: Project, annotator: User, add_documents: Add, annotate: Annotate, red: Label, tmp_path: Path
) -> None:
    version = add_version(project, tmp_path)
    found = add_documents(project, "dim", "clear", "none", "middle")
    for document, score in zip(found, (0.2, 0.9, None, 0.5), strict=True):
        annotate(document, annotator, "red")
        if score is not None:
            answer = Answer((red.pk,), scores=((red.pk, score),))
            Prediction.objects.create(document=document, version=version, answer=answer)
    assert texts(red) == ["clear", "middle", "dim"]
    assert texts(red, besides=found[1].pk) == ["middle", "dim", "none"]


def test_without_a_model_the_latest_come_first(
    project: Project, annotator: User, add_documents: Add, annotate: Annotate, red: Label
) -> None:
    for document in add_documents(project, "one", "two", "three", "four"):
        annotate(document, annotator, "red")
    assert texts(red) == ["four", "three", "two"]


def test_only_what_people_gave_and_agree_on_is_an_example(
    project: Project, lead: User, annotator: User, add_documents: Add, annotate: Annotate, red: Label
) -> None:
    machine = User.objects.create(username="import", is_machine=True)
    told, disputed, other, by_machine, skipped, agreed = add_documents(
        project, "told", "disputed", "other", "by a machine", "skipped", "agreed"
    )
    annotate(told, annotator, "red")
    annotate(disputed, annotator, "red")
    annotate(disputed, lead, "blue")
    annotate(other, annotator, "blue")
    annotate(by_machine, machine, "red")
    annotate(skipped, annotator, "red", outcome="skipped")
    annotate(agreed, annotator, "red")
    annotate(agreed, lead, "red")
    assert texts(red) == ["agreed", "told"]


def test_neither_the_holdout_nor_what_others_still_answer_is_shown(
    project: Project, annotator: User, add_documents: Add, annotate: Annotate, red: Label
) -> None:
    (held,) = add_documents(project, "held out", lane="holdout")
    waiting, done = add_documents(project, "waits for a second person", "done")
    for document in (held, waiting, done):
        annotate(document, annotator, "red")
    Assignment.objects.create(project=project, document=waiting, slot=1, rank=1.0)
    Assignment.objects.create(project=project, document=done, slot=0, rank=1.0, state="done")
    assert texts(red) == ["done"]


@pytest.mark.parametrize(
    ("text", "shown", "is_clipped"),
    [
        ("x" * 240, "x" * 240, False),
        ("x" * 241, "x" * 240, True),
        ("word " * 50, ("word " * 47).strip(), True),
    ],
)
def test_a_long_text_is_clipped_at_the_end_of_a_word(
    project: Project,
    annotator: User,
    add_documents: Add,
    annotate: Annotate,
    red: Label,
    text: str,
    shown: str,
    is_clipped: bool,
) -> None:
    (document,) = add_documents(project, text)
    annotate(document, annotator, "red")
    assert examples.of_label(red) == [examples.LabelExample(document.pk, shown, is_clipped)]
