from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from annotate.models import Annotation, Document, Project, User
from annotate.services.labeling import decisions, queue
from annotate.services.pages import status_line
from training.types import Answer

AddDocuments = Callable[..., list[Document]]


@pytest.fixture(params=["counted anew", "counted before"], autouse=True)
def _counted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each rule hold with a count of the project that is some seconds old, too."""
    kept: dict[str, object] = {}
    monkeypatch.setattr(cache, "get", kept.get)
    if request.param == "counted before":
        monkeypatch.setattr(cache, "set", lambda key, value, seconds: kept.__setitem__(key, value))
    else:
        monkeypatch.setattr(cache, "set", lambda key, value, seconds: None)


def left(project: Project, user: User) -> tuple[int, int]:
    found = status_line.left(project=project, annotator=user)
    return found.documents, found.total


def decide(project: Project, user: User) -> None:
    place = queue.claim(project=project, annotator=user)
    assert place
    assert place.card
    answer = Answer((project.labels.first().pk,))  # type: ignore[union-attr]
    decisions.submit(project=project, annotator=user, card=place.card, outcome="answered", answer=answer)


def test_what_nobody_decided_on_is_left_and_what_others_hold_is_not(
    project: Project, annotator: User, lead: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *"abcdef")
    assert left(project, annotator) == (6, 6)
    decide(project, annotator)
    assert left(project, annotator) == (5, 6)
    assert left(project, lead) == (5, 6)
    queue.claim(project=project, annotator=lead)
    assert left(project, annotator) == (4, 6)
    assert left(project, lead) == (5, 6)
    project.assignments.leased().update(expires_at=timezone.now() - timedelta(seconds=1))
    assert left(project, annotator) == (5, 6)


def test_a_document_that_wants_two_people_is_left_for_the_other(
    project: Project, annotator: User, lead: User, add_documents: AddDocuments
) -> None:
    Project.objects.update(annotators_per_document=2)
    project.refresh_from_db()
    add_documents(project, *"abc")
    decide(project, annotator)
    assert left(project, annotator) == (2, 3)
    assert left(project, lead) == (3, 3)


def test_nothing_is_left_where_all_is_decided(
    project: Project, annotator: User, lead: User, add_documents: AddDocuments
) -> None:
    documents = add_documents(project, "a", "b")
    Annotation.objects.create(project=project, document=documents[0], annotator=lead, outcome="answered")
    assert left(project, annotator) == (1, 2)
    decide(project, annotator)
    assert left(project, annotator) == (0, 2)
    assert queue.claim(project=project, annotator=annotator) is None
