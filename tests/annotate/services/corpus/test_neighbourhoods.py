from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from annotate.models import Document, Neighbourhood, Project
from annotate.services.corpus import neighbourhoods
from annotate.services.corpus.vector_store import DatabaseStore, SiteEmbedder
from tests.annotate.made.fakes import HashEmbedder
from training.encoders.neighbours import nearest

pytestmark = pytest.mark.django_db
TEXTS = tuple(f"{colour} {thing} {i}" for i, colour in enumerate("abcde") for thing in ("cat", "dog", "cow"))


@pytest.fixture
def encoder() -> SiteEmbedder:
    return SiteEmbedder(HashEmbedder(), DatabaseStore())


@pytest.fixture
def documents(project: Project, add_documents: Callable[..., list[Document]]) -> list[Document]:
    return add_documents(project, *TEXTS)


def test_it_keeps_the_neighbours_that_a_search_of_all_finds(
    project: Project, documents: list[Document], encoder: SiteEmbedder
) -> None:
    assert neighbourhoods.find(project=project, encoder=encoder) == len(documents)
    keys = np.array([document.pk for document in documents])
    found = neighbourhoods.among(project=project, encoder=encoder, documents=keys)
    expected = nearest(encoder.embed(TEXTS), neighbourhoods.K)
    assert found is not None
    np.testing.assert_allclose(found.similarities, expected.similarities, atol=1e-5)


def test_it_searches_only_for_documents_that_are_new(
    project: Project,
    documents: list[Document],
    encoder: SiteEmbedder,
    add_documents: Callable[..., list[Document]],
) -> None:
    neighbourhoods.find(project=project, encoder=encoder)
    add_documents(project, "a new one")
    assert neighbourhoods.find(project=project, encoder=encoder) == 1
    assert Neighbourhood.objects.count() == len(documents) + 1


def test_a_neighbour_that_is_not_among_the_documents_counts_nothing(
    project: Project, documents: list[Document], encoder: SiteEmbedder
) -> None:
    neighbourhoods.find(project=project, encoder=encoder)
    keys = np.array([document.pk for document in documents[:4]])
    found = neighbourhoods.among(project=project, encoder=encoder, documents=keys)
    assert found is not None
    assert found.indices.max() < 4
    assert (found.similarities > 0).sum(axis=1).max() <= 3


def test_holdout_documents_are_nobodys_neighbours(
    project: Project,
    documents: list[Document],
    encoder: SiteEmbedder,
    add_documents: Callable[..., list[Document]],
) -> None:
    held = add_documents(project, "a cat 0 held out", lane="holdout")[0]
    neighbourhoods.find(project=project, encoder=encoder)
    kept = {
        key
        for row in Neighbourhood.objects.all()
        for key in np.frombuffer(row.neighbours, neighbourhoods.KEYS).tolist()
    }
    assert held.pk not in kept
    assert not Neighbourhood.objects.filter(document=held).exists()


def test_without_a_search_there_are_none(
    project: Project, documents: list[Document], encoder: SiteEmbedder
) -> None:
    keys = np.array([document.pk for document in documents])
    assert neighbourhoods.among(project=project, encoder=encoder, documents=keys) is None
