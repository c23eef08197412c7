"""A lead changes many documents at once and undoes it; hits become a list that somebody labels to its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Annotation, BulkChange, Document, Project, User
from annotate.services.bulk import job
from tests.browser.test_labeling import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 375, "height": 800}


@pytest.fixture
def documents(project: Project, add_documents: Callable[..., list[Document]]) -> list[Document]:
    return add_documents(project, "a rose is red", "a red leaf", "the sea")


def _look(page: Page, size: dict[str, int]) -> None:
    """Look that a page is accessible and is no wider than the screen."""
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "375"])
def test_hits_are_changed_after_a_preview_and_put_back(
    size: dict[str, int],
    open_as: Callable[[User, str], Page],
    lead: User,
    project: Project,
    documents: list[Document],
) -> None:
    page = open_as(lead, reverse("documents", args=[project.slug]) + "?q=red")
    page.set_viewport_size(size)  # type: ignore[arg-type]
    _look(page, size)
    page.get_by_role("link", name="Change all hits…").click()
    expect(page.get_by_role("heading", name="Change 2 documents")).to_be_visible()
    _look(page, size)
    page.get_by_label("Label", exact=True).select_option("red")
    page.get_by_label("The gold answer").check()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("2 of 2 documents would change.")).to_be_visible()
    _look(page, size)
    assert not Annotation.objects.exists()
    page.get_by_role("button", name="Change these documents").click()
    expect(page.get_by_role("progressbar", name="Documents done")).to_be_visible()
    _look(page, size)
    change = BulkChange.objects.get()
    job.run(change.pk)
    expect(page.get_by_text("2 of 2 documents changed.")).to_be_visible()  # the page asks by itself
    assert Annotation.objects.filter(is_gold=True).count() == 2
    _look(page, size)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("progressbar", name="Documents done")).to_be_visible()
    job.run(change.undo.pk)
    expect(page.get_by_text("2 of 2 documents are as they were before.")).to_be_visible()
    assert not Annotation.objects.exists()
    page.get_by_role("link", name="See the documents").click()
    expect(page.get_by_text("2 documents fit.")).to_be_visible()


def test_only_the_ticked_rows_are_changed_by_keys_alone(
    open_as: Callable[[User, str], Page], lead: User, project: Project, documents: list[Document]
) -> None:
    page = open_as(lead, reverse("documents", args=[project.slug]))
    box = page.get_by_label(f"Tick document {documents[1].pk}")
    box.focus()
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    page.get_by_role("button", name="Change the ticked ones…").press("Enter")
    expect(page.get_by_role("heading", name="Change 1 document")).to_be_visible()
    page.get_by_role("link", name="Move to the other lane").click()
    page.get_by_label("Lane to move them to").select_option("holdout")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("1 of 1 documents would change.")).to_be_visible()
    assert BulkChange.objects.get().keys == [documents[1].pk]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "375"])
def test_hits_become_a_list_that_is_labelled_to_its_last_card(
    size: dict[str, int],
    open_as: Callable[[User, str], Page],
    lead: User,
    project: Project,
    documents: list[Document],
) -> None:
    page = open_as(lead, reverse("documents", args=[project.slug]) + "?q=red")
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.get_by_role("link", name="Let people label all hits…").click()
    page.get_by_label("Name of the list").fill("all that is red")
    _look(page, size)
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Make the list").click()
    expect(page.get_by_role("progressbar", name="Documents done")).to_be_visible()
    job.run(BulkChange.objects.get().pk)
    page.get_by_role("link", name="Open the list").click()
    expect(page.get_by_text("2 documents are left for you.")).to_be_visible()
    _look(page, size)
    page.get_by_role("link", name="Label these now").click()
    page.wait_for_load_state("load")
    for document in (documents[1], documents[0]):
        page.wait_for_selector(f"#card[data-ready][data-document='{document.pk}']")
        _look(page, size)
        page.keyboard.press("1")
    expect(page.locator("#empty-reason")).to_have_text("This list is done. Thank you.")
    _look(page, size)
    page.get_by_role("link", name="The list", exact=True).click()
    expect(page.get_by_text("2 of 2 answers")).to_be_visible()
    assert sorted(Annotation.objects.values_list("document", flat=True)) == [
        documents[0].pk,
        documents[1].pk,
    ]
