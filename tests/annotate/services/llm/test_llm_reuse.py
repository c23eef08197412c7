"""What is asked once and used again, by the text and the question; what is asked anew because one differs."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from annotate.models import Annotation, Document, LlmAnswer, Membership, Project, User
from annotate.models.members import Role
from annotate.services.corpus import vector_store
from annotate.services.imports.upsert import IncomingDocument, store_rows
from annotate.services.labeling import queue
from annotate.services.llm import answers
from tests.annotate.made.fakes import HashEmbedder
from tests.annotate.services.llm.llm_site import Add
from tests.annotate.services.llm.llm_site import asking as asking
from tests.annotate.services.llm.llm_site import configured as configured
from tests.training.llm.conftest import Server, says
from tests.training.llm.conftest import server as server
from training.types import Answer, FloatArray

Make = Callable[..., Project]


@pytest.fixture
def similar(make_project: Make, add_documents: Add) -> Project:
    """Another project of the same people, with the same labels, and one text that both have."""
    other = make_project(slug="shades", llm_budget=100_000)
    add_documents(other, "leaf")
    queue.top_up(project=other)
    return other


def add_again(project: Project, *texts: str) -> None:
    """Add documents that differ from those with an equal text by their ids only."""
    for text in texts:
        Document.objects.create(
            project=project,
            external_id=f"again {text}",
            text=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            lane="pool",
        )
    queue.top_up(project=project)


def named(document: Document, external_id: str) -> Document:
    document.external_id = external_id
    document.save()
    return document


def test_an_equal_text_of_a_later_slice_is_not_asked_about_again(asking: Project, server: Server) -> None:
    answers.suggest(project=asking)
    add_again(asking, "leaf", "sage")
    assert answers.suggest(project=asking) == 2
    assert server.texts.count("leaf") == 1
    again = asking.llm_answers.get(document__external_id="again leaf")
    assert answers.suggested(project=asking, document=again.document) == Answer(
        (asking.labels.get(name="green").pk,)
    )
    assert (again.is_reused, again.calls, again.tokens, again.cost, again.seconds) == (True, 0, 0, 0.0, 0.0)
    assert asking.llm_answers.filter(is_reused=True).count() == 1


def test_equal_texts_of_one_slice_are_paid_for_once_and_it_is_told(asking: Project, server: Server) -> None:
    add_again(asking, "leaf")
    assert answers.suggest(project=asking) == 4
    assert len(server.requests) == 3
    found = answers.spent(project=asking)
    assert found is not None
    assert (found.documents, found.answered, found.reused, found.tokens) == (4, 4, 1, 330)
    took = asking.llm_answers.values_list("seconds", flat=True)
    assert found.seconds == pytest.approx(sum(took) / 3)  # the one that took none is not in the mean


def test_a_project_with_the_same_question_gets_the_answer_in_its_own_labels(
    asking: Project, similar: Project, server: Server
) -> None:
    answers.suggest(project=asking)
    asking.labels.filter(name="green").update(name="was green")  # what was said was said of the name
    assert answers.suggest(project=similar) == 1
    assert len(server.requests) == 3
    (answer,) = similar.llm_answers.all()
    assert (answer.answer.labels, answer.is_reused) == ((similar.labels.get(name="green").pk,), True)
    found = answers.spent(project=similar)
    assert found is not None
    assert (found.tokens, found.cost, found.seconds) == (0, 0.0, 0.0)


def test_an_answer_that_was_used_again_outlives_the_project_that_paid(
    asking: Project, similar: Project, make_project: Make, add_documents: Add, server: Server
) -> None:
    answers.suggest(project=asking)
    answers.suggest(project=similar)
    asking.delete()
    third = make_project(slug="tints", llm_budget=100_000)
    add_documents(third, "leaf")
    queue.top_up(project=third)
    assert answers.suggest(project=third) == 1
    assert server.texts.count("leaf") == 1


@pytest.mark.parametrize("who", ["stranger alone", "stranger too", "nobody"])
def test_nobody_learns_what_a_project_that_they_do_not_lead_has_asked(
    asking: Project, similar: Project, server: Server, stranger: User, who: str
) -> None:
    answers.suggest(project=asking)
    if who != "stranger too":
        similar.memberships.filter(role=Role.LEAD).delete()
    if who != "nobody":
        Membership.objects.create(project=similar, user=stranger, role=Role.LEAD)
    assert answers.suggest(project=similar) == 1
    assert server.texts.count("leaf") == 2


@pytest.mark.parametrize("other", ["guidelines", "label", "description", "model", "options"])
def test_another_question_about_an_equal_text_is_asked(
    asking: Project, similar: Project, server: Server, settings: Any, other: str
) -> None:
    answers.suggest(project=asking)
    if other == "guidelines":
        similar.guidelines = "Look closely."
    if other == "label":
        similar.labels.filter(name="blue").update(name="sky")
    if other == "description":
        similar.labels.filter(name="green").update(description="as grass")
    if other == "model":
        settings.LLM_MODEL = "large"
    if other == "options":
        settings.LLM_RESPONSE_FORMAT = False
    assert answers.suggest(project=similar) == 1
    assert server.texts.count("leaf") == 2


def test_what_is_no_answer_is_not_used_again(asking: Project, server: Server) -> None:
    server.plan = [says(None, refusal="no")]
    answers.suggest(project=asking)
    add_again(asking, "leaf")
    assert answers.suggest(project=asking) == 1
    assert server.texts.count("leaf") == 2
    assert not asking.llm_answers.filter(is_reused=True).exists()


def test_a_text_that_an_import_changed_is_asked_about_anew(asking: Project, server: Server) -> None:
    document = named(asking.documents.get(text="leaf"), "1")
    answers.suggest(project=asking)
    store_rows(project=asking, rows=[IncomingDocument("another text", external_id="1")])
    document.refresh_from_db()
    assert answers.suggested(project=asking, document=document) is None
    found = answers.spent(project=asking)
    assert found is not None
    assert (found.documents, found.answered, found.tokens) == (3, 2, 330)
    assert answers.is_wanted(project=asking)
    assert answers.suggest(project=asking) == 1
    assert server.texts[-1] == "another text"
    assert answers.suggested(project=asking, document=document)
    found = answers.spent(project=asking)
    assert found is not None
    assert (found.documents, found.answered, found.tokens) == (3, 3, 440)


def test_the_answer_to_a_text_that_comes_back_still_stands(asking: Project, server: Server) -> None:
    document = named(asking.documents.get(text="leaf"), "1")
    answers.suggest(project=asking)
    for text in ("another text", "leaf"):
        store_rows(project=asking, rows=[IncomingDocument(text, external_id="1")])
    document.refresh_from_db()
    assert answers.suggested(project=asking, document=document)
    assert answers.suggest(project=asking) == 0
    assert len(server.requests) == 3


class Importing(HashEmbedder):
    """An embedder during whose work an import comes: after a document was read, before it is answered."""

    def __init__(self, project: Project, text: str, changed: IncomingDocument) -> None:
        super().__init__()
        self.project, self.text, self.changed = project, text, changed

    def embed(self, texts: Sequence[str]) -> FloatArray:
        if list(texts) == [self.text]:
            store_rows(project=self.project, rows=[self.changed])
        return super().embed(texts)


def test_an_answer_is_of_the_text_that_was_asked_about_not_of_one_that_came_meanwhile(
    asking: Project,
    server: Server,
    annotator: User,
    add_documents: Add,
    annotate: Callable[..., Annotation],
) -> None:
    (known,) = add_documents(asking, "rose")
    annotate(known, annotator, "red")
    document = named(asking.documents.get(text="leaf"), "1")
    importing = Importing(asking, "leaf", IncomingDocument("another text", external_id="1"))
    assert answers.suggest(project=asking, embedder=importing) == 3
    document.refresh_from_db()
    assert document.text == "another text"
    assert answers.suggested(project=asking, document=document) is None
    assert answers.suggest(project=asking, embedder=HashEmbedder()) == 1
    assert server.texts[-1] == "another text"
    assert answers.suggested(project=asking, document=document)


def test_looking_for_an_answer_takes_one_query_of_four(
    asking: Project, server: Server, django_assert_num_queries: Any
) -> None:
    answers.suggest(project=asking)
    add_again(asking, "leaf", "moss", "lime")
    once = 8  # what people have said, what merged labels became, whose answers may be used, what is spent
    each = 4  # a published model, the next document, an answer of before, the answer
    with django_assert_num_queries(once + 3 * each + 2):  # there is no fourth document
        assert answers.suggest(project=asking) == 3
    assert len(server.requests) == 3


def test_a_later_slice_embeds_no_answered_text_again(
    asking: Project, annotator: User, add_documents: Add, annotate: Callable[..., Annotation]
) -> None:
    for text in ("rose", "ruby"):
        annotate(*add_documents(asking, text), annotator, "red")
    encoder = HashEmbedder()
    answers.suggest(project=asking, embedder=vector_store.SiteEmbedder(encoder, vector_store.DatabaseStore()))
    assert sorted(encoder.asked) == ["leaf", "lime", "moss", "rose", "ruby"]
    add_again(asking, "sage")
    # Another process knows nothing but the database.
    answers.suggest(project=asking, embedder=vector_store.SiteEmbedder(encoder, vector_store.DatabaseStore()))
    assert encoder.asked[5:] == ["sage"]


def test_the_lead_sees_what_was_there_already(
    asking: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    answers.suggest(project=asking)
    url = f"/projects/{asking.slug}/"
    assert "there already" not in sign_in(lead).get(url).content.decode()
    add_again(asking, "leaf")
    answers.suggest(project=asking)
    assert "1 answer was there already and cost nothing." in sign_in(lead).get(url).content.decode()


def test_answers_of_before_get_the_digest_of_the_text_that_they_are_of(asking: Project) -> None:
    answers.suggest(project=asking)
    LlmAnswer.objects.update(sha256="", key="")
    outdated = asking.llm_answers.get(document__text="leaf")
    LlmAnswer.objects.filter(pk=outdated.pk).update(outcome="of an earlier text", answer=Answer())
    importlib.import_module("annotate.migrations.0008_llm_answers_by_question").note_texts(apps, None)
    current = LlmAnswer.objects.current()
    assert sorted(current.values_list("document__text", flat=True)) == ["lime", "moss"]
    assert answers.suggest(project=asking) == 1  # the one whose text had changed
