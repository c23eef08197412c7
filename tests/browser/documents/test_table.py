"""A lead looks for documents in the table: columns, order, pages, marks, and a view that is saved."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Annotation, AnnotationLabel, Document, ModelVersion, Prediction, Project, User
from tests.browser.layout.pictures import looks_right
from training.types import Answer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def documents(
    answered: None, project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> list[Document]:
    """More than a page of documents, with metadata, predictions and an answer."""
    texts = [f"text {i} " + "of some length " * (i % 30) for i in range(58)]
    made = add_documents(project, *texts, "so happy 😀😀 today", "Вчера спросили: где моя ДОСТАВКА?")
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=1, holdout_documents=0, calibrated=True
    )
    red, green, _blue = project.labels.all()
    for i, document in enumerate(made):
        document.meta = {"channel": "mail" if i % 2 else "phone", "priority": i % 3}
        document.save()
        Prediction.objects.create(
            document=document,
            version=version,
            answer=Answer((red.pk,), scores=((red.pk, 0.5), (green.pk, 0.3))),
            confidence=i / 100,
            margin=0.2,
        )
    annotation = Annotation.objects.create(
        project=project, document=made[-1], annotator=annotator, outcome="answered"
    )
    AnnotationLabel.objects.create(annotation=annotation, label=green)
    return made


def test_a_lead_chooses_columns_and_an_order_and_goes_forth_and_back(
    open_as: Callable[[User, str], Page], lead: User, project: Project, documents: list[Document]
) -> None:
    page = open_as(lead, reverse("documents", args=[project.slug]))
    looks_right(page, "list")
    page.get_by_text("Order and columns").click()
    page.get_by_label("channel").check()
    page.get_by_label("Length").check()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("columnheader", name="channel")).to_be_visible()
    page.get_by_role("columnheader", name="Confidence").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Confidence")).to_have_attribute("aria-sort", "ascending")
    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("text 0")
    page.get_by_role("link", name="Next page").click()
    expect(rows).to_have_count(10)
    looks_right(page, "second")
    # The whole row is the link; the page of a document leads back to the same list.
    rows.first.locator("td").last.click(force=True)  # where the link of the row lies above the cell
    expect(page.get_by_role("heading", name=f"Document {documents[50].pk}")).to_be_visible()
    page.wait_for_load_state("load")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name=f"Document {documents[51].pk}")).to_be_visible()
    page.go_back()
    page.go_back()
    page.get_by_role("link", name="Page before").click()
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("text 0")


@pytest.mark.parametrize(("typed", "marked"), [("достав", "ДОСТАВ"), ("😀", "😀😀")])
def test_what_was_searched_for_is_marked(
    open_as: Callable[[User, str], Page],
    lead: User,
    project: Project,
    documents: list[Document],
    typed: str,
    marked: str,
) -> None:
    page = open_as(lead, reverse("documents", args=[project.slug]))
    page.get_by_label("Text or external id").fill(typed)
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody mark")).to_have_text(marked)
    looks_right(page, f"search-{len(typed)}")


def test_a_view_is_saved_opened_renamed_and_deleted(
    open_as: Callable[[User, str], Page], lead: User, project: Project, documents: list[Document]
) -> None:
    page = open_as(lead, reverse("documents", args=[project.slug]) + "?meta=channel+%3D+mail&sort=length")
    page.get_by_role("link", name="Save this view").click()
    page.get_by_label("Name", exact=True).fill("By mail")
    page.get_by_label("For everybody").check()
    looks_right(page, "save")
    page.get_by_role("button", name="Save the view").click()
    expect(page.get_by_text("The view is saved.")).to_be_visible()
    expect(page.get_by_text("30 documents fit.")).to_be_visible()
    page.goto(page.url.partition("?")[0])
    page.get_by_role("link", name="By mail").click()
    expect(page.get_by_text("30 documents fit.")).to_be_visible()
    looks_right(page, "view")
    page.get_by_role("link", name="Save this view").click()
    page.get_by_text("Rename or delete").click()
    name = page.locator("article").get_by_label("Name")
    name.fill("Mail")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("link", name="Mail", exact=True)).to_be_visible()
    page.get_by_text("Rename or delete").click()
    looks_right(page, "views")
    page.get_by_role("button", name="Delete the view").click()
    expect(page.get_by_text("The view “Mail” is deleted")).to_be_visible()
