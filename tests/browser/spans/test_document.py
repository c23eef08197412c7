"""The page of a document whose text people mark: a lead marks it as on a card and takes what others did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Document, Prediction, Project, User
from tests.annotate.made.bundles import add_version
from tests.browser.spans.test_marking import listed
from tests.browser.test_labeling import violations
from training.types import Answer, Span

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = "Ada met\r\nBob 😀 in Paris."


@pytest.fixture
def document(entities: Project, add_documents: Callable[..., list[Document]]) -> Document:
    return add_documents(entities, TEXT)[0]


@pytest.fixture
def span(entities: Project) -> Callable[[str, str], Span]:
    keys = dict(entities.labels.values_list("name", "pk"))
    return lambda words, label: Span(TEXT.index(words), TEXT.index(words) + len(words), keys[label])


def mark(document: Document, user: User, *spans: Span) -> None:
    made = Annotation.objects.create(
        project=document.project, document=document, annotator=user, outcome="answered"
    )
    made.say(Answer(spans=spans))


def open_page(open_as: Callable[[User, str], Page], document: Document, lead: User) -> Page:
    page = open_as(lead, f"/projects/{document.project.slug}/documents/{document.pk}/")
    expect(page.locator("#desk-tools")).to_be_visible()
    assert page.evaluate("document.querySelector('.span-text').textContent") == TEXT
    return page


def save(page: Page) -> tuple[Span, ...]:
    page.get_by_role("button", name="Save as gold").click()
    expect(page.get_by_text("gold one of this document now")).to_be_visible()
    return Annotation.objects.get(is_gold=True).answer.spans


def test_a_lead_takes_all_that_one_person_marked_and_one_span_of_another(
    open_as: Callable[[User, str], Page],
    document: Document,
    annotator: User,
    reviewer: User,
    lead: User,
    span: Callable[[str, str], Span],
) -> None:
    ada, paris, bob = span("Ada", "person"), span("Paris", "place"), span("Bob", "person")
    mark(document, annotator, ada, paris)
    mark(document, reviewer, bob, replace(ada, end=ada.end + 4))
    page = open_page(open_as, document, lead)
    page.keyboard.press("s")
    assert listed(page) == [
        "person Ada anton",
        "person Ada met rita (marked by others, not taken)",
        "person Bob rita (marked by others, not taken)",
        "place Paris anton",
    ]
    page.locator("#document-text").focus()
    for key in ("End", "Shift+Tab", "Shift+Tab", "a"):
        page.keyboard.press(key)
    assert violations(page) == []
    assert save(page) == (ada, bob, paris)


def test_a_lead_marks_what_nobody_has_with_the_tools_of_the_card(
    open_as: Callable[[User, str], Page],
    document: Document,
    annotator: User,
    lead: User,
    span: Callable[[str, str], Span],
) -> None:
    mark(document, annotator, span("Ada", "place"))
    page = open_page(open_as, document, lead)
    page.get_by_role("button", name="Save as gold").click()
    expect(page.locator("#chosen")).to_contain_text("Nothing is marked")
    page.locator("#document-text").focus()
    for key in ("ArrowRight", "Shift+ArrowRight", "1", "}", "End", "ArrowLeft", "2"):
        page.keyboard.press(key)
    assert save(page) == (span("Ada", "person"), span("Paris", "place"))


def test_a_lead_takes_of_the_model_what_it_finds_in_a_text_that_it_did_not_learn(
    open_as: Callable[[User, str], Page],
    document: Document,
    lead: User,
    span: Callable[[str, str], Span],
    tmp_path: Path,
) -> None:
    version = add_version(document.project, tmp_path, number=4)
    bob = span("Bob", "person")
    said = Answer(spans=(bob,), scores=((bob.label, 0.8),))
    prediction = Prediction.objects.create(document=document, version=version, answer=said)
    page = open_page(open_as, document, lead)
    assert listed(page) == ["person 80 % Bob version 4 (marked by others, not taken)"]
    page.get_by_role("button", name="All of version 4").click()
    assert save(page) == (bob,)
    Annotation.objects.all().delete()
    Document.objects.filter(pk=prediction.document_id).update(lane="holdout", half="reporting")
    page = open_page(open_as, document, lead)
    assert listed(page) == []
