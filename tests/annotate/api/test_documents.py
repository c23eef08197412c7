"""One document over the API: read, changed, commented on, deleted; and lists by the filters of the site."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.test import Client

from annotate.models import Annotation, AnnotationLabel, Comment, Document, Event, Import, Project, User

Api = Callable[..., Client]
Add = Callable[..., list[Document]]
ROOT = "/api/v1/projects/colours/documents"
JSON = "application/json"


@pytest.fixture
def document(project: Project, add_documents: Add) -> Document:
    (document,) = add_documents(project, "a red tree")
    document.meta = {"source": "mail", "page": 3}
    document.save()
    return document


def test_a_document_is_read(document: Document, reviewer: User, api: Api) -> None:
    body = api(reviewer).get(f"{ROOT}/{document.pk}").json()
    assert (body["id"], body["text"], body["meta"]["page"]) == (document.pk, "a red tree", 3)


def test_a_document_of_another_project_is_not_there(
    project: Project, make_project: Callable[..., Project], add_documents: Add, lead: User, api: Api
) -> None:
    (other,) = add_documents(make_project(slug="shapes"), "round")
    client = api(lead)
    assert client.get(f"{ROOT}/{other.pk}").status_code == 404
    assert client.delete(f"{ROOT}/{other.pk}").status_code == 404
    assert client.patch(f"{ROOT}/{other.pk}", {"meta": {}}, content_type=JSON).status_code == 404


def test_metadata_changes_key_by_key(document: Document, lead: User, api: Api) -> None:
    sent = {"meta": {"page": None, "topic": ["a", {"b": 1}], "missing": None}}
    body = api(lead).patch(f"{ROOT}/{document.pk}", sent, content_type=JSON).json()
    assert body["meta"] == {"source": "mail", "topic": ["a", {"b": 1}]}
    document.refresh_from_db()
    assert document.meta == body["meta"]
    event = Event.objects.latest("pk")
    assert (event.kind, event.document_id, event.by) == ("document-changed", document.pk, lead)
    before = Event.objects.count()
    api_again = api(lead).patch(f"{ROOT}/{document.pk}", {"meta": {"source": "mail"}}, content_type=JSON)
    assert api_again.status_code == 200
    assert Event.objects.filter(kind="document-changed").count() == 1
    assert Event.objects.count() == before + 1  # the key that the test has made


@pytest.mark.parametrize("sent", [{}, {"meta": 1}, {"text": "new"}, {"meta": None}])
def test_a_change_that_says_nothing_is_refused(
    sent: object, document: Document, lead: User, api: Api
) -> None:
    assert api(lead).patch(f"{ROOT}/{document.pk}", sent, content_type=JSON).status_code == 400


def test_a_document_is_deleted_as_on_the_site(
    project: Project, document: Document, lead: User, api: Api
) -> None:
    client, running = api(lead), Import.objects.create(project=project, name="mine.csv", state="running")
    refused = client.delete(f"{ROOT}/{document.pk}")
    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert "An import is under way" in refused.json()["detail"]
    Import.objects.filter(pk=running.pk).update(state="succeeded")
    assert client.delete(f"{ROOT}/{document.pk}").status_code == 204
    assert client.delete(f"{ROOT}/{document.pk}").status_code == 404
    assert not Document.objects.exists()
    assert Event.objects.filter(kind="document-deleted", by=lead).count() == 1


def test_a_comment_is_kept_once_and_told_with_its_author(
    document: Document, reviewer: User, lead: User, api: Api
) -> None:
    client, where = api(reviewer), f"{ROOT}/{document.pk}/comments"
    sent = {"text": "is this right?", "key": str(uuid.uuid4())}
    first, again = (client.post(where, sent, content_type=JSON) for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json())
    assert Comment.objects.get().author == reviewer
    (told,) = client.get(where).json()["results"]
    assert (told["author"], told["text"]) == ("rita", "is this right?")
    stolen = api(lead).post(where, sent, content_type=JSON)
    assert (stolen.status_code, stolen.json()["code"]) == (409, "key_reused")
    for text in ("", " ", "x" * 5001):
        assert client.post(where, {"text": text}, content_type=JSON).status_code == 400


def test_a_list_takes_the_filters_of_the_documents_page(
    project: Project, annotator: User, lead: User, add_documents: Add, api: Api
) -> None:
    red, green, undecided = add_documents(project, "a red tree", "a green tree", "a house")
    for document, name in ((red, "red"), (green, "green")):
        annotation = Annotation.objects.create(
            project=project, document=document, annotator=annotator, outcome="answered"
        )
        AnnotationLabel.objects.create(annotation=annotation, label=project.labels.get(name=name))
    client = api(lead)

    def found(query: str) -> list[int]:
        return [row["id"] for row in client.get(f"{ROOT}?{query}").json()["results"]]

    assert found("q=tree") == [red.pk, green.pk]
    assert found(f"label={project.labels.get(name='red').pk}") == [red.pk]
    assert found(f"annotator={annotator.pk}&q=green") == [green.pk]
    assert found("outcome=none") == [undecided.pk]
    assert found("lane=holdout") == []
    page = client.get(f"{ROOT}?q=tree&limit=1").json()
    assert [row["id"] for row in client.get(page["next"]).json()["results"]] == [green.pk]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("label=0", "#/label"), ("lane=nowhere", "#/lane"), ("outcom=none", "#/outcom"), ("q=%22", "#/q")],
)
def test_a_filter_that_cannot_be_is_refused_and_never_left_out(
    query: str, pointer: str, document: Document, lead: User, api: Api
) -> None:
    refused = api(lead).get(f"{ROOT}?{query}")
    assert refused.status_code == 400
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


def test_annotations_are_listed_of_one_document(
    document: Document, project: Project, annotator: User, lead: User, add_documents: Add, api: Api
) -> None:
    (other,) = add_documents(project, "another")
    for of in (document, other):
        Annotation.objects.create(project=project, document=of, annotator=annotator, outcome="skipped")
    where = "/api/v1/projects/colours/annotations"
    rows = api(lead).get(f"{where}?document={document.pk}").json()["results"]
    assert [row["document"] for row in rows] == [document.pk]
    assert api(lead).get(f"{where}?document=one").status_code == 400
