from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from annotate.models import Assignment, Document, Embedding, Project
from annotate.services.corpus import vector_store
from annotate.services.corpus.vector_store import DatabaseStore, SiteEmbedder
from annotate.services.runs import first_batch
from tests.annotate.made.fakes import HashEmbedder
from training.registry import STRATEGIES, Strategy

pytestmark = pytest.mark.django_db
AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def hashes() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def encoder(hashes: HashEmbedder) -> SiteEmbedder:
    return SiteEmbedder(hashes, DatabaseStore())


def test_it_embeds_each_text_once_for_all_projects(
    project: Project,
    multi_project: Project,
    add_documents: AddDocuments,
    encoder: SiteEmbedder,
    hashes: HashEmbedder,
) -> None:
    add_documents(project, "one", "two")
    add_documents(multi_project, "two", "three")
    assert vector_store.embed(project=project, encoder=encoder) == 2
    assert vector_store.embed(project=multi_project, encoder=encoder) == 1
    assert sorted(hashes.asked) == ["one", "three", "two"]
    assert Embedding.objects.count() == 3


def test_it_goes_on_where_it_stopped(
    project: Project, add_documents: AddDocuments, encoder: SiteEmbedder, hashes: HashEmbedder
) -> None:
    add_documents(project, *(f"text {i}" for i in range(vector_store.CHUNK + 5)))
    assert vector_store.embed(project=project, encoder=encoder, seconds=0) == vector_store.CHUNK
    assert not vector_store.is_complete(project=project, encoder=encoder)
    assert vector_store.embed(project=project, encoder=encoder) == 5
    assert vector_store.is_complete(project=project, encoder=encoder)


def test_it_reads_back_the_vectors_that_it_stored(encoder: SiteEmbedder, hashes: HashEmbedder) -> None:
    made = encoder.embed(["one", "two"])
    again = SiteEmbedder(hashes, DatabaseStore())
    assert again.known(["two", "three"]).tolist() == [True, False]
    np.testing.assert_array_equal(again.embed(["two", "one"]), made[::-1])
    assert len(hashes.asked) == 2


def test_it_makes_vectors_of_another_encoder_anew(encoder: SiteEmbedder) -> None:
    encoder.embed(["one"])
    other = HashEmbedder()
    other.fingerprint = "0" * 64
    assert not SiteEmbedder(other, DatabaseStore()).known(["one"]).any()


def test_it_forgets_old_vectors_rather_than_fill_the_memory(
    encoder: SiteEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatabaseStore, "LIMIT", 2)
    encoder.embed(["one", "two"])
    assert encoder.known(["one", "two", "three"]).tolist() == [True, True, False]


def test_it_chooses_the_first_batch_by_the_vectors_and_learns_from_names(
    project: Project, add_documents: AddDocuments, encoder: SiteEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "tests.annotate.made.fakes:first_rows"
    monkeypatch.setitem(STRATEGIES, "kmeans", Strategy("kmeans", "K", path, reads_vectors=True))
    add_documents(project, "one", "two")
    vector_store.embed(project=project, encoder=encoder)
    opened = first_batch.begin(project=project, encoder=encoder, is_complete=True)
    assert [(run.family, run.reason) for run in opened] == [("embedding", "names")]
    assert project.batches.get().strategy == "kmeans"
    assert Assignment.objects.count() == 2
    assert first_batch.begin(project=project, encoder=encoder, is_complete=True) == []
    assert project.batches.count() == 1


def test_it_waits_with_the_first_batch_for_enough_vectors(
    project: Project, add_documents: AddDocuments, encoder: SiteEmbedder
) -> None:
    add_documents(project, "one")
    assert first_batch.is_waiting(project=project)
    first_batch.begin(project=project, encoder=encoder, is_complete=False)
    assert not project.batches.exists()


def test_a_text_waits_that_has_a_vector_of_an_earlier_encoder_only(
    project: Project, add_documents: AddDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_store, "site_fingerprint", lambda: "new")
    early, late = add_documents(project, "early", "late")
    for name, document in (("old", early), ("new", late)):
        Embedding.objects.create(encoder=name, sha256=document.sha256, vector=b"")
    assert first_batch.is_waiting(project=project)
    Embedding.objects.create(encoder="new", sha256=early.sha256, vector=b"")
    assert not first_batch.is_waiting(project=project)


def test_vectors_that_another_process_removed_are_stored_again(
    project: Project, add_documents: AddDocuments, encoder: SiteEmbedder
) -> None:
    add_documents(project, "one", "two")
    vector_store.embed(project=project, encoder=encoder)
    Embedding.objects.all().delete()  # what this process read, it still remembers
    assert vector_store.embed(project=project, encoder=encoder, seconds=0) == 2
    assert vector_store.is_complete(project=project, encoder=encoder)
