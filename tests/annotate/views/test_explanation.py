from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from annotate.models import Annotation, Card, Document, ModelVersion, Prediction, Project, User
from annotate.services.versions import explanations, predictions
from tests.annotate.made.bundles import add_version
from training.types import Answer

SignIn = Callable[[User], Client]
AddDocuments = Callable[..., list[Document]]
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def no_memory() -> Iterator[None]:
    """Each test numbers its versions anew, and a version's family is remembered by its number."""
    explanations.may_explain.cache_clear()
    yield
    explanations.may_explain.cache_clear()


@pytest.fixture
def bundle_root(tmp_path: Path, settings: Any) -> Iterator[Path]:
    settings.BUNDLE_ROOT = tmp_path
    predictions.CACHE.clear()
    yield tmp_path
    predictions.CACHE.clear()


@pytest.fixture
def client(sign_in: SignIn, annotator: User) -> Client:
    return sign_in(annotator)


def suggested(
    project: Project, version: ModelVersion, document: Document, *scores: tuple[str, float]
) -> None:
    pks = dict(project.labels.values_list("name", "pk"))
    pairs = tuple((pks[name], score) for name, score in scores)
    decided = tuple(pk for pk, score in pairs if score >= 0.5)
    Prediction.objects.create(document=document, version=version, answer=Answer(decided, scores=pairs))


def why_url(project: Project, card: Card | None = None) -> str:
    card = card or Card.objects.get()
    return f"/projects/{project.slug}/label/why/{card.key}/"


@pytest.fixture
def shown(project: Project, client: Client, add_documents: AddDocuments, bundle_root: Path) -> str:
    """Return the labelling page with a suggestion of a version that can explain."""
    (document,) = add_documents(project, "a green tree & <b>not red</b>")
    suggested(project, add_version(project, bundle_root), document, ("green", 0.9), ("red", 0.1))
    return client.get(f"/projects/{project.slug}/label/").content.decode()


def test_a_card_offers_the_reasons_and_waits_for_none(shown: str, project: Project) -> None:
    assert f'href="{why_url(project)}" hx-get="{why_url(project)}"' in shown
    assert '<q dir="auto">' not in shown


def test_the_weightiest_ngrams_for_and_against_are_told(shown: str, project: Project, client: Client) -> None:
    html = client.get(why_url(project), headers=HTMX).content.decode()
    assert html.index("for it") < html.index("green") < html.index("against it") < html.index(">red<")
    assert "<html" not in html


def test_fasttext_tells_its_words(
    project: Project, client: Client, add_documents: AddDocuments, bundle_root: Path
) -> None:
    (document,) = add_documents(project, "Is it GREEN?")
    suggested(project, add_version(project, bundle_root, family="fasttext"), document, ("green", 0.9))
    shown = client.get(f"/projects/{project.slug}/label/").content.decode()
    assert why_url(project) in shown
    html = client.get(why_url(project), headers=HTMX).content.decode()
    assert html.index("for it") < html.index('<q dir="auto">green</q>')


def test_without_scripts_the_reasons_are_a_page(shown: str, project: Project, client: Client) -> None:
    html = client.get(why_url(project)).content.decode()
    assert "<h1>" in html
    assert '<q dir="auto">green</q>' in html
    assert f'href="/projects/{project.slug}/label/"' in html


def test_another_annotator_does_not_see_the_reasons_of_my_card(
    shown: str, project: Project, lead: User, sign_in: SignIn
) -> None:
    assert sign_in(lead).get(why_url(project)).status_code == 404


def test_a_card_that_never_was_has_no_reasons(shown: str, project: Project, client: Client) -> None:
    assert client.get(f"/projects/{project.slug}/label/why/{uuid.uuid4()}/").status_code == 404


def test_a_version_of_another_family_offers_no_reasons(
    project: Project, client: Client, add_documents: AddDocuments, bundle_root: Path
) -> None:
    (document,) = add_documents(project, "green")
    version = add_version(project, bundle_root)
    ModelVersion.objects.filter(pk=version.pk).update(family="embedding")
    suggested(project, version, document, ("green", 0.9))
    html = client.get(f"/projects/{project.slug}/label/").content.decode()
    assert "The model suggests" in html
    assert "/why/" not in html


@pytest.mark.parametrize("trouble", ["gone", "trees"])
def test_a_version_that_cannot_tell_says_so(
    trouble: str, project: Project, client: Client, add_documents: AddDocuments, bundle_root: Path
) -> None:
    (document,) = add_documents(project, "green")
    version = add_version(project, bundle_root, explains=trouble != "trees")
    suggested(project, version, document, ("green", 0.9))
    client.get(f"/projects/{project.slug}/label/")
    if trouble == "gone":
        ModelVersion.objects.filter(pk=version.pk).update(bundle="")
    assert "cannot tell which words" in client.get(why_url(project), headers=HTMX).content.decode()


def test_every_suggested_label_has_its_reasons(
    multi_project: Project, sign_in: SignIn, annotator: User, add_documents: AddDocuments, bundle_root: Path
) -> None:
    (document,) = add_documents(multi_project, "red and blue")
    scores = (("red", 0.9), ("blue", 0.8), ("green", 0.1))
    suggested(multi_project, add_version(multi_project, bundle_root), document, *scores)
    client = sign_in(annotator)
    client.get(f"/projects/{multi_project.slug}/label/")
    html = client.get(why_url(multi_project), headers=HTMX).content.decode()
    assert html.count('class="reason"') == 2
    assert "green" not in html


@pytest.fixture
def example(project: Project, lead: User, add_documents: AddDocuments) -> Document:
    (document,) = add_documents(project, "a rose & <b>a ruby</b>")
    annotation = Annotation.objects.create(
        project=project, document=document, annotator=lead, outcome="answered"
    )
    annotation.choices.create(label=project.labels.get(name="red"))
    return document


def examples_url(project: Project, name: str = "red") -> str:
    return f"/projects/{project.slug}/label/examples/{project.labels.get(name=name).pk}/"


def test_examples_are_text_as_a_part_and_as_a_page(
    example: Document, project: Project, client: Client
) -> None:
    part = client.get(examples_url(project), headers=HTMX).content.decode()
    assert "a rose &amp; &lt;b&gt;a ruby&lt;/b&gt;" in part
    assert "<html" not in part
    page = client.get(examples_url(project)).content.decode()
    assert "a rose &amp; &lt;b&gt;a ruby&lt;/b&gt;" in page
    assert "Back to the card" in page
    assert "There is no example yet" in client.get(examples_url(project, "blue")).content.decode()


def test_the_text_on_the_card_is_no_example(
    example: Document, project: Project, annotator: User, client: Client
) -> None:
    card = Card.objects.create(document=example, annotator=annotator)
    part = client.get(examples_url(project), {"card": str(card.key)}, headers=HTMX).content.decode()
    assert "a rose" not in part


def test_examples_are_of_own_cards_and_offered_labels_only(
    example: Document, project: Project, lead: User, client: Client, make_project: Callable[..., Project]
) -> None:
    theirs = Card.objects.create(document=example, annotator=lead)
    assert client.get(examples_url(project), {"card": str(theirs.key)}).status_code == 404
    assert client.get(examples_url(project), {"card": "no key"}).status_code == 404
    other = make_project(slug="other")
    elsewhere = examples_url(other).replace("/other/", f"/{project.slug}/")
    assert client.get(elsewhere).status_code == 404
    project.labels.filter(name="red").update(archived_at=timezone.now())
    assert client.get(examples_url(project)).status_code == 404
