"""A lead opens a document from a list, corrects it with a gold answer, and goes on through the list."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Annotation, AnnotationLabel, Document, Project, User
from tests.browser.test_labeling import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def answered(
    answered: None, project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> list[Document]:
    """Three documents that were annotated as red, and one that nobody annotated."""
    documents = add_documents(project, "first", "second", "third")
    for document in documents:
        annotation = Annotation.objects.create(
            project=project, document=document, annotator=annotator, outcome="answered"
        )
        AnnotationLabel.objects.create(annotation=annotation, label=project.labels.get(name="red"))
    add_documents(project, "unanswered")
    Document.objects.update(meta={"channel": "mail"})
    return documents


def _wait_for(page: Page, document: Document) -> None:
    """Wait for a document's page and for the script that listens to its keys."""
    expect(page.get_by_role("heading", name=f"Document {document.pk}")).to_be_visible()
    page.wait_for_load_state("load")


def test_a_lead_corrects_a_document_of_a_filtered_list_and_goes_on_by_keys(
    open_as: Callable[[User, str], Page], lead: User, project: Project, answered: list[Document]
) -> None:
    _first, second, third = answered
    page = open_as(lead, reverse("documents", args=[project.slug]) + "?outcome=answered")
    page.get_by_role("link", name=f"Document {third.pk}:").click()
    _wait_for(page, third)
    page.keyboard.press("j")
    _wait_for(page, second)
    page.keyboard.press("2")
    expect(page.get_by_role("radio", name="green")).to_be_checked()
    page.get_by_role("button", name="Save as gold").click()
    expect(page.get_by_text("Your answer is the gold one of this document now.")).to_be_visible()
    gold = Annotation.objects.get(is_gold=True)
    assert (gold.document, gold.annotator) == (second, lead)
    assert violations(page) == []
    page.wait_for_load_state("load")
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.keyboard.press("k")
    _wait_for(page, third)
    expect(page.locator("#previous")).to_have_count(0)  # the newest that fits: "unanswered" does not


def test_typing_a_reason_is_no_command(
    open_as: Callable[[User, str], Page], lead: User, project: Project, answered: list[Document]
) -> None:
    page = open_as(lead, reverse("document", args=[project.slug, answered[1].pk]))
    page.get_by_label("Why (optional, kept with the answer)").press_sequentially("j2k")
    expect(page.get_by_label("Why (optional, kept with the answer)")).to_have_value("j2k")
    expect(page.get_by_role("radio", name="green")).not_to_be_checked()


def test_an_answer_is_withdrawn_only_after_it_was_asked(
    open_as: Callable[[User, str], Page], lead: User, project: Project, answered: list[Document]
) -> None:
    page = open_as(lead, reverse("document", args=[project.slug, answered[1].pk]))
    withdraw = page.get_by_role("button", name="Withdraw the answer")
    expect(withdraw).to_be_hidden()
    page.get_by_text("Withdraw the answer of anton").click()
    assert violations(page) == []
    withdraw.click()
    expect(page.get_by_text("The answer of anton is withdrawn")).to_be_visible()
    expect(page.get_by_role("button", name="Return to the queue")).to_be_visible()
