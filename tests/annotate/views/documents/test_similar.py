"""Texts like another one or like a phrase, on their pages, and why they cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from annotate.forms.documents import TableForm
from annotate.models import Document, Embedding, Project, User
from annotate.services.corpus import signs, vector_store

VECTORS = {"night": (1.0, 0.0), "evening": (0.9, 0.436), "noon": (0.0, 1.0)}


@pytest.fixture
def client(sign_in: Callable[[User], Client], lead: User) -> Client:
    return sign_in(lead)


@pytest.fixture
def documents(
    project: Project,
    add_documents: Callable[..., list[Document]],
    tmp_path: Path,
    settings: object,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Document]:
    """Three texts with vectors, and a phrase that is nearest to the last of them."""
    settings.BUNDLE_ROOT = tmp_path  # type: ignore[attr-defined]
    monkeypatch.setattr(vector_store, "site_fingerprint", lambda: "e")
    stub = SimpleNamespace(embed_unkept=lambda texts: np.array([[0.1, 0.995]] * len(texts), np.float32))
    monkeypatch.setattr(vector_store, "embedder", lambda name: stub)
    made = dict(zip(VECTORS, add_documents(project, *VECTORS), strict=True))
    for text, document in made.items():
        vector = np.array(VECTORS[text], "<f4").tobytes()
        Embedding.objects.create(encoder="e", sha256=document.sha256, vector=vector)
    signs.update(project=project, fingerprint="e", tell=lambda stage, done: None)
    return made


def order(html: str, *texts: str) -> list[str]:
    """Return the texts in the order in which the page links their documents."""
    return sorted((text for text in texts if f">{text}</" in html), key=lambda text: html.index(f">{text}</"))


def test_the_texts_like_a_document_stand_with_the_nearest_first(
    client: Client, project: Project, documents: dict[str, Document]
) -> None:
    address = reverse("document-similar", args=[project.slug, documents["night"].pk])
    page = client.get(address).content.decode()
    assert order(page, *VECTORS)[-2:] == ["evening", "noon"]
    assert "Compared with 3 texts" in page
    assert page.count('<th scope="col" dir="auto"') == len(TableForm(QueryDict(), project=project).columns)
    assert 'name="document"' not in page  # there is nothing to tick them for
    part = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert order(part, *VECTORS) == ["evening", "noon"]


def test_the_page_of_a_document_asks_for_the_texts_like_it(
    client: Client, project: Project, documents: dict[str, Document]
) -> None:
    page = client.get(reverse("document", args=[project.slug, documents["night"].pk])).content.decode()
    address = reverse("document-similar", args=[project.slug, documents["night"].pk])
    assert f'hx-get="{address}"' in page
    assert f'href="{address}"' in page


def test_a_near_duplicate_is_not_listed_twice_beside_a_document(
    client: Client, project: Project, documents: dict[str, Document]
) -> None:
    Document.objects.filter(pk__in=[documents["night"].pk, documents["evening"].pk]).update(split_key="same")
    address = reverse("document-similar", args=[project.slug, documents["night"].pk])
    assert order(client.get(address, headers={"HX-Request": "true"}).content.decode(), *VECTORS) == ["noon"]


def test_a_phrase_finds_by_meaning(client: Client, project: Project, documents: dict[str, Document]) -> None:
    page = client.get(reverse("similar", args=[project.slug]), {"q": "midday"}).content.decode()
    assert order(page, *VECTORS) == ["noon", "evening", "night"]
    assert client.get(reverse("similar", args=[project.slug])).status_code == 200


@pytest.mark.parametrize("query", ["", " ", "a\x00b", "x" * 1001])
def test_a_phrase_that_is_none_finds_nothing(
    query: str, client: Client, project: Project, documents: dict[str, Document]
) -> None:
    answer = client.get(reverse("similar", args=[project.slug]), {"q": query})
    assert answer.status_code == 200
    assert order(answer.content.decode(), *VECTORS) == []


def test_both_are_filters_of_the_table_and_go_with_others(
    client: Client, project: Project, documents: dict[str, Document]
) -> None:
    table = reverse("documents", args=[project.slug])

    def fitting(**filters: object) -> set[str]:
        return set(order(client.get(table, filters).content.decode(), *VECTORS))

    assert fitting(similar=documents["night"].pk) == {"evening", "noon"}
    assert fitting(similar=documents["night"].pk, q="noon") == {"noon"}
    assert fitting(like="midday") == set(VECTORS)


def test_a_missing_vector_or_encoder_is_said(
    client: Client, project: Project, documents: dict[str, Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, night = reverse("documents", args=[project.slug]), documents["night"]
    beside = reverse("document-similar", args=[project.slug, night.pk])
    Embedding.objects.filter(sha256=night.sha256).delete()
    for page in (client.get(beside), client.get(table, {"similar": night.pk})):
        assert "This text cannot be compared yet: it has no vector." in page.content.decode()
    signs.path_of(project, "e").unlink()
    for page in (
        client.get(reverse("similar", args=[project.slug]), {"q": "midday"}),
        client.get(table, {"like": "midday"}),
    ):
        assert "a worker still makes the vectors of this project" in page.content.decode()
    monkeypatch.setattr(vector_store, "site_fingerprint", lambda: "")
    for page in (client.get(beside), client.get(table, {"like": "midday"})):
        assert "the encoder of this site has not been prepared" in page.content.decode()


@pytest.mark.parametrize("value", ["0", "-1", "x", "99999999", "9" * 40])
def test_a_document_that_is_not_there_is_said_beside_the_filters(
    value: str, client: Client, project: Project, documents: dict[str, Document]
) -> None:
    answer = client.get(reverse("documents", args=[project.slug]), {"similar": value})
    assert answer.status_code == 200
    assert "Most like document:" in answer.content.decode()
