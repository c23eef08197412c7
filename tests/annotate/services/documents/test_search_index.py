"""Texts come into the search index after they were stored, and nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from annotate import kinds
from annotate.models import Document, FoldedText, Import, Job, Project, UnindexedText, User
from annotate.models.jobs import JobKind
from annotate.services.deletion import document as deletion
from annotate.services.documents import changes, filters
from annotate.services.documents.finding import metadata_index, search_index
from annotate.services.imports.upsert import IncomingDocument, store_rows
from annotate.services.work import jobs

Add = Callable[..., list[Document]]


def found(project: Project, text: str) -> set[str]:
    return {document.text for document in filters.find(project, {"q": text})}


def do(job: Job) -> None:
    """Do a job to its end, turn by turn, as workers do."""
    while rows := list(kinds.kind_of(job).work(job.pk)):
        (job,) = rows
    job.refresh_from_db()
    assert job.state == "succeeded"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_index, "CHUNK", 2)
    monkeypatch.setattr(search_index, "PAUSE_SECONDS", 0)


def test_the_tick_opens_a_job_that_moves_every_text(
    project: Project, add_documents: Add, small: None
) -> None:
    add_documents(project, *(f"Tëxt {n}" for n in range(5)))
    assert not FoldedText.objects.exists()
    (job,) = kinds.texts_to_index_due()
    do(job)
    assert not UnindexedText.objects.exists()
    assert FoldedText.objects.count() == 5
    assert found(project, "text 3") == {"Tëxt 3"}
    assert list(kinds.texts_to_index_due()) == []


def test_it_gives_way_to_others_and_goes_on(
    project: Project, add_documents: Add, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "SLICE_SECONDS", -1.0)
    add_documents(project, "one", "two", "three")
    (job,) = jobs.ask(kind=JobKind.SEARCH, project=project)
    (again,) = kinds.kind_of(job).work(job.pk)
    assert (again.pk, FoldedText.objects.count()) == (job.pk, 2)
    do(job)
    assert FoldedText.objects.count() == 3


def test_a_worker_that_is_killed_half_way_leaves_every_text_to_be_found(
    project: Project, add_documents: Add, small: None
) -> None:
    add_documents(project, "abc 1", "abc 2", "abc 3", "abc 4")

    def killed(stage: str, done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search_index.index(project=project, tell=killed)
    assert (FoldedText.objects.count(), UnindexedText.objects.count()) == (2, 2)
    assert found(project, "abc") == {"abc 1", "abc 2", "abc 3", "abc 4"}
    (job,) = kinds.texts_to_index_due()
    do(job)
    assert found(project, "abc") == {"abc 1", "abc 2", "abc 3", "abc 4"}


def test_a_project_waits_for_the_end_of_its_import(project: Project, add_documents: Add) -> None:
    add_documents(project, "one")
    upload = Import.objects.create(project=project, name="a.csv", state="running")
    assert list(kinds.texts_to_index_due()) == []
    Import.objects.filter(pk=upload.pk).update(state="failed")
    assert len(list(kinds.texts_to_index_due())) == 1


def test_a_changed_or_deleted_text_is_not_found_whether_it_was_indexed_or_not(
    project: Project, make_project: Callable[..., Project], small: None
) -> None:
    for is_indexed in (False, True):
        store_rows(project=project, rows=[IncomingDocument(f"old {n}", external_id=str(n)) for n in range(3)])
        if is_indexed:
            (job,) = kinds.texts_to_index_due()
            do(job)
        assert len(found(project, "old")) == 3
        store_rows(project=project, rows=[IncomingDocument("new", external_id="1")])
        project.documents.get(external_id="2").delete()
        assert found(project, "old") == {"old 0"}
        assert found(project, "new") == {"new"}
        project.documents.all().delete()
        assert found(project, "old") == set()


@pytest.mark.django_db(transaction=True)
def test_a_deleted_text_leaves_no_trigrams_in_the_database_file(
    project: Project, lead: User, add_documents: Add, small: None
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL overwrites what was deleted when it vacuums.")
    _kept, deleted = add_documents(project, "abc", "ꚙꚛꚗ")
    (job,) = kinds.texts_to_index_due()
    do(job)
    add_documents(project, "def")
    (job,) = kinds.texts_to_index_due()
    do(job)
    trigram = "ꚛꚗ".encode()  # the index leaves out what begins as the trigram before
    assert trigram in connection.connection.serialize()
    deletion.delete(document=deleted, by=lead)
    do(project.jobs.live().get())
    assert trigram not in connection.connection.serialize()
    assert (found(project, "abc"), found(project, "def")) == ({"abc"}, {"def"})


def test_the_page_says_how_many_texts_no_search_can_reach(
    project: Project,
    lead: User,
    sign_in: Callable[[User], Client],
    add_documents: Add,
    small: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_index, "MOST_LOOKED_THROUGH", 2)
    client, said = sign_in(lead), "1 document is not in the search index yet and was not searched"

    def page() -> str:
        return client.get(reverse("documents", args=[project.slug]), {"q": "abc"}).content.decode()

    add_documents(project, "abc 1", "abc 2")
    assert "not in the search index" not in page()
    add_documents(project, "abc 3")
    assert found(project, "abc") == {"abc 2", "abc 3"}
    assert said in page()
    (job,) = kinds.texts_to_index_due()
    do(job)
    assert found(project, "abc") == {"abc 1", "abc 2", "abc 3"}
    assert "not in the search index" not in page()


@pytest.fixture
def channels(project: Project, add_documents: Add) -> list[Document]:
    """Indexed documents with a channel each; there is one of a kind for every number."""
    documents = add_documents(project, *(f"text {number}" for number in range(4)))
    for number, document in enumerate(documents):
        document.meta = {"channel": f"channel {number}"}
    Document.objects.bulk_update(documents, ["meta"])
    assert search_index.index(project=project, tell=lambda stage, done: None)
    return documents


def through(project: Project, number: int) -> set[str]:
    return {document.text for document in filters.find(project, {"meta": f"channel = channel {number}"})}


def entries() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rowid FROM metadata_entries ORDER BY rowid")
        return [row for (row,) in cursor.fetchall()]


def test_metadata_that_changed_is_found_at_once_and_after_the_job(
    project: Project, channels: list[Document], lead: User
) -> None:
    changes.change_metadata(document=channels[0], changes={"channel": "channel 1"}, by=lead)
    for _turn in range(2):
        assert through(project, 0) == set()
        assert through(project, 1) == {"text 0", "text 1"}
        assert search_index.index(project=project, tell=lambda stage, done: None)


def test_only_few_documents_are_looked_at_for_a_rare_entry(
    project: Project, channels: list[Document], add_documents: Add
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has an index of its own kind.")
    (fresh,) = add_documents(project, "fresh")
    listed = metadata_index.keys(project, "channel", ("channel 2",))
    assert listed is not None
    assert set(Document.objects.filter(pk__in=listed)) == {channels[2], fresh}


def test_the_index_of_metadata_is_of_one_project(
    project: Project, make_project: Callable[[str], Project], channels: list[Document], add_documents: Add
) -> None:
    elsewhere = make_project("Elsewhere")
    (document,) = add_documents(elsewhere, "there")
    document.meta = {"channel": "channel 1"}
    document.save()
    assert search_index.index(project=elsewhere, tell=lambda stage, done: None)
    assert through(project, 1) == {"text 1"}
    assert through(elsewhere, 1) == {"there"}


def test_nothing_of_a_deleted_document_stays_in_the_index_of_metadata(
    project: Project, channels: list[Document], lead: User
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has an index of its own kind.")
    assert entries() == [document.pk for document in channels]
    deletion.delete(document=channels[1], by=lead)
    assert entries() == [document.pk for document in channels if document != channels[1]]
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO metadata_entries(metadata_entries, rank) VALUES ('integrity-check', 1)")


def test_a_site_of_before_gets_its_metadata_into_the_index(
    project: Project, channels: list[Document]
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has an index of its own kind.")
    migration = import_module("annotate.migrations.0082_metadata_index")
    editor = SimpleNamespace(connection=connection)
    migration.drop(None, editor)
    assert not metadata_index.exists()
    assert through(project, 3) == {"text 3"}
    migration.make(None, editor)
    assert entries() == [document.pk for document in channels]
    assert through(project, 3) == {"text 3"}
