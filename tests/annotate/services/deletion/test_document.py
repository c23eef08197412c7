"""A deleted document: its text is nowhere, and what is of others stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from annotate.models import (
    Document,
    Embedding,
    Event,
    Import,
    ImportProblem,
    ModelVersion,
    Project,
    TrainingRun,
    User,
)
from annotate.models.events import EventKind
from annotate.services.deletion import document as deletion
from annotate.services.projects.refused import Refused
from tests.annotate.made.searched import places_of
from tests.annotate.services.deletion.conftest import TEXT

Fill = Callable[[Project], Document]


@pytest.fixture
def document(fill: Fill, project: Project) -> Document:
    """A document with all that is made of it; the run's log, the bundle and a broken row are of others."""
    document = fill(project)
    TrainingRun.objects.update(log="")
    Import.objects.get().problems.all().delete()
    return document


@pytest.mark.django_db(transaction=True)
def test_its_text_is_nowhere_but_in_the_model_that_learned_it(
    document: Document, lead: User, home: Path
) -> None:
    deletion.delete(document=document, by=lead)
    assert [Path(place).name for place in places_of(TEXT, home)] == ["words.json"]
    assert Document.objects.count() == 1
    assert Import.objects.count() == 1


def test_the_vector_stays_where_another_project_has_the_text(
    document: Document, lead: User, make_project: Callable[..., Project], fill: Fill
) -> None:
    other = fill(make_project(slug="shapes"))
    deletion.delete(document=document, by=lead)
    assert Embedding.objects.count() == 1
    deletion.delete(document=other, by=lead)
    assert Embedding.objects.count() == 0


def test_it_is_refused_while_an_import_runs(document: Document, lead: User) -> None:
    Import.objects.update(state="running")
    with pytest.raises(Refused, match="under way"):
        deletion.delete(document=document, by=lead)
    assert Document.objects.filter(pk=document.pk).exists()


def test_the_versions_are_named_that_knew_its_answer(document: Document, project: Project) -> None:
    key = document.annotations.get().pk
    for number, newest in ((2, key - 1), (3, key), (4, key + 5)):
        run = TrainingRun.objects.create(
            project=project, family="tfidf", reason="lead", state="succeeded", snapshot={"annotation": newest}
        )
        ModelVersion.objects.create(
            project=project, number=number, run=run, family="tfidf", labelled=1, holdout_documents=0
        )
    assert deletion.contents(document).versions == [3, 4]


def test_the_log_names_who_deleted_it_once_and_never_the_text(document: Document, lead: User) -> None:
    deletion.delete(document=document, by=lead)
    deletion.delete(document=document, by=lead)
    event = Event.objects.get(kind=EventKind.DOCUMENT_DELETED)
    assert (event.by, event.project_id) == (lead, document.project_id)
    assert event.document_id is not None


def test_what_quotes_the_text_is_taken_back_and_other_sentences_stay(
    document: Document, project: Project, lead: User
) -> None:
    upload, run = Import.objects.get(), TrainingRun.objects.get()
    TrainingRun.objects.filter(pk=run.pk).update(log=f"It broke at “{TEXT}”.", error="It is out of memory.")
    for row, reason in enumerate((f"Odd: {TEXT}", f"Odd: {TEXT}s", "The text is empty.")):
        ImportProblem.objects.create(source=upload, row=row, reason=reason)
    deletion.delete(document=document, by=lead)
    deletion.delete(document=document, by=lead)  # again, when nothing is left to look for
    quoted, *others = upload.problems.values_list("reason", flat=True)
    assert "deleted since" in quoted
    assert others == [f"Odd: {TEXT}s", "The text is empty."]
    run.refresh_from_db()
    assert ("deleted since" in run.log, run.error) == (True, "It is out of memory.")
