"""An import is taken back: its documents go, what it changed is as it was, and what people did stays."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from annotate.kinds import import_file
from annotate.models import (
    Annotation,
    Card,
    Comment,
    Decision,
    Document,
    Event,
    Import,
    ImportChange,
    Label,
    Project,
    User,
)
from annotate.models.events import EventKind
from annotate.models.imports import ImportRemoval
from annotate.services.deletion import document as deletion
from annotate.services.deletion import documents, imports
from annotate.services.imports import job
from annotate.services.imports.columns import ColumnMapping
from annotate.services.projects.refused import Refused
from annotate.services.work import lease
from tests.annotate.made.searched import places_of
from tests.annotate.services.deletion.conftest import TEXT

Store = Callable[..., Import]


@pytest.fixture
def store(project: Project, lead: User, home: Path) -> Store:
    """Import a file with the columns id, text, label and city; return the import when it is over."""

    def store(*rows: str, name: str = "mine.csv", **changes: object) -> Import:
        content = "\n".join(["id,text,label,city", *rows]).encode()
        upload = job.begin(project=project, user=lead, file=ContentFile(content), name=name)
        mapping = ColumnMapping.load({**upload.mapping, **changes})
        assert job.start(upload=upload, mapping=mapping, dry_run=False)
        list(import_file(upload.pk))
        upload.refresh_from_db()
        assert upload.state == "succeeded", upload.error
        return upload

    return store


def take_back(upload: Import, by: User, removal: ImportRemoval = ImportRemoval.UNDO) -> Import:
    (opened,) = imports.begin(upload=upload, removal=removal, by=by)
    list(import_file(opened.pk))
    upload.refresh_from_db()
    return upload


def state(project: Project) -> dict[str, object]:
    """Return each document as people know it, by its text."""
    found = {}
    for document in project.documents.prefetch_related("annotations__choices"):
        said = [
            (answer.outcome, answer.is_gold, sorted(choice.label.name for choice in answer.choices.all()))
            for answer in document.annotations.all()
        ]
        found[document.text] = (document.external_id, document.meta, document.split_key, said)
    return found


def test_what_an_undone_import_changed_is_as_it_was(project: Project, lead: User, store: Store) -> None:
    store("1,old text,red,Bonn", ",without id,,Ulm", "3,stays,blue,Kiel", name="first.csv")
    before, decisions = state(project), Decision.objects.count()
    second = store(
        "1,new text,green,Köln", "2,without id,red,Ulm", "3,stays,blue,Kiel", "4,added,mauve,Jena",
        create_labels=True, gold=True, name="second.csv",
    )  # fmt: skip
    assert state(project) != before
    assert project.labels.filter(name="mauve").exists()
    done = take_back(second, lead)
    assert state(project) == before
    assert (done.state, done.removed, done.restored) == ("succeeded", 1, 3)
    assert not project.labels.filter(name="mauve").exists()
    assert not ImportChange.objects.exists()
    assert Decision.objects.count() > decisions  # what it said stays in the history of the answers
    assert Event.objects.get(kind=EventKind.IMPORT_UNDONE).details == {"documents": 1, "changed": 3}


def test_what_was_changed_since_stays(project: Project, lead: User, store: Store) -> None:
    store("1,one,,Bonn", "2,two,,Bonn", name="first.csv")
    second = store("1,one,,Köln", "2,two,,Köln", name="second.csv")
    store("2,two,,Trier", name="third.csv")
    done = take_back(second, lead)
    assert {document.external_id: document.meta["city"] for document in project.documents.all()} == {
        "1": "Bonn",
        "2": "Trier",
    }
    assert done.restored == 1


def test_an_import_that_ran_twice_is_undone_to_what_was_before_the_first_time(
    project: Project, lead: User, store: Store
) -> None:
    store("1,one,red,Bonn", name="first.csv")
    before = state(project)
    second = store("1,other,green,Köln", name="second.csv")
    mapping = ColumnMapping.load({**second.mapping, "gold": True})
    assert job.start(upload=second, mapping=mapping, dry_run=False)
    list(import_file(second.pk))
    take_back(second, lead)
    assert state(project) == before


def _answer(document: Document, person: User) -> None:
    Annotation.objects.create(
        project=document.project, document=document, annotator=person, outcome="skipped"
    )


def _comment(document: Document, person: User) -> None:
    Comment.objects.create(document=document, author=person, key=uuid.uuid4(), text="why?")


def _show(document: Document, person: User) -> None:
    Card.objects.create(document=document, annotator=person)


@pytest.mark.parametrize("work", [_answer, _comment, _show])
def test_an_import_that_people_have_worked_on_is_deleted_and_not_undone(
    project: Project, lead: User, annotator: User, store: Store, work: Callable[[Document, User], None]
) -> None:
    upload = store("1,one,red,Bonn", "2,two,red,Bonn")
    work(project.documents.get(external_id="1"), annotator)
    assert imports.contents(upload).worked_on == 1
    with pytest.raises(Refused, match="worked on 1 document"):
        imports.begin(upload=upload, removal=ImportRemoval.UNDO, by=lead)
    done = take_back(upload, lead, ImportRemoval.DOCUMENTS)
    assert (done.removed, project.documents.count(), project.annotations.count()) == (2, 0, 0)


def test_what_somebody_decides_on_while_it_is_undone_stays(
    project: Project, lead: User, annotator: User, store: Store
) -> None:
    upload = store("1,one,red,Bonn", "2,two,red,Bonn")
    (opened,) = imports.begin(upload=upload, removal=ImportRemoval.UNDO, by=lead)
    _answer(project.documents.get(external_id="1"), annotator)
    list(import_file(opened.pk))
    upload.refresh_from_db()
    assert (upload.state, upload.removed, project.documents.get().external_id) == ("succeeded", 1, "1")


@pytest.mark.django_db(transaction=True)
def test_a_killed_removal_goes_on(
    project: Project, lead: User, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = store(*(f"{n},text {chr(97 + n)},red,Bonn" for n in range(5)))
    imports.begin(upload=upload, removal=ImportRemoval.UNDO, by=lead)
    remove, calls = documents.remove, iter(range(9))

    def killed_at_the_second(**chunk: object) -> int:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return remove(**chunk)  # type: ignore[arg-type]

    monkeypatch.setattr(documents, "CHUNK", 2)
    monkeypatch.setattr(documents, "remove", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        list(import_file(upload.pk))
    assert project.documents.count() == 3
    list(import_file(upload.pk))
    upload.refresh_from_db()
    assert (upload.state, upload.removed, project.documents.count()) == ("succeeded", 5, 0)


def test_a_cancelled_removal_stops(project: Project, lead: User, store: Store) -> None:
    upload = store("1,one,red,Bonn")
    imports.begin(upload=upload, removal=ImportRemoval.UNDO, by=lead)
    assert lease.cancel(row=upload, by=lead)
    list(import_file(upload.pk))
    assert project.documents.count() == 1


def test_nothing_is_taken_back_twice_at_once(lead: User, store: Store) -> None:
    upload = store("1,one,red,Bonn")
    assert imports.begin(upload=upload, removal=ImportRemoval.UNDO, by=lead)
    assert not imports.begin(upload=upload, removal=ImportRemoval.UNDO, by=lead)
    assert Event.objects.filter(kind=EventKind.IMPORT_UNDONE).count() == 1


def test_it_waits_for_another_import(project: Project, lead: User, store: Store) -> None:
    upload = store("1,one,red,Bonn")
    Import.objects.create(project=project, name="other.csv", state="running")
    with pytest.raises(Refused, match="under way"):
        imports.begin(upload=upload, removal=ImportRemoval.UNDO, by=lead)


def test_a_label_that_an_answer_has_stays(
    project: Project, lead: User, annotator: User, store: Store, add_documents: Callable[..., list[Document]]
) -> None:
    upload = store("1,one,mauve,Bonn", "2,two,ochre,Bonn", create_labels=True)
    (document,) = add_documents(project, "another")
    answer = Annotation.objects.create(
        project=project, document=document, annotator=annotator, outcome="answered"
    )
    answer.choices.create(label=Label.objects.get(name="mauve"))
    take_back(upload, lead)
    assert set(project.labels.values_list("name", flat=True)) >= {"mauve"}
    assert not project.labels.filter(name="ochre").exists()


@pytest.mark.django_db(transaction=True)
def test_the_text_of_an_undone_import_is_nowhere(
    project: Project, lead: User, store: Store, home: Path
) -> None:
    kept = store("8,another text,red,Bonn", name="other.csv")
    upload = store(f'1,"{TEXT}",red,Bonn', f'1,"{TEXT} again",red,Bonn')
    assert places_of(TEXT, home)
    take_back(upload, lead)
    assert places_of(TEXT, home) == []
    assert Path(kept.file.path).exists()


@pytest.mark.django_db(transaction=True)
def test_a_deleted_document_leaves_no_earlier_text_and_only_files_that_cannot_hold_it(
    project: Project, lead: User, store: Store, home: Path
) -> None:
    first = store(f'1,"{TEXT}",,Bonn', name="first.csv")
    other = store("8,another text,,Bonn", name="other.csv")
    second = store(f'1,"{TEXT}, and more",,Bonn', name="second.csv")
    assert places_of(TEXT, home)
    deletion.delete(document=project.documents.get(external_id="1"), by=lead)
    assert places_of(TEXT, home) == []
    assert [Path(upload.file.path).exists() for upload in (first, other, second)] == [False, True, False]
