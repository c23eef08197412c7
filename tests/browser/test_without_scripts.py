"""The labelling page where no script runs: plain forms do what the keys do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from annotate.models import Annotation, Document, Project, User
from tests.browser.conftest import PATIENCE_MS
from tests.browser.test_labeling import TEXTS, answers

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, java_script_enabled=False)
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


def text_of(page: Page) -> str:
    return page.locator("#document-text").inner_text()


def test_a_label_saves_and_shows_the_next_document(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:2])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    wanted = {}
    for name in ("green", "blue"):
        wanted[text_of(page)] = [name]
        page.get_by_role("button", name=name).click()
    expect(page.locator("#card[data-empty]")).to_be_visible()
    assert answers(project) == wanted


def test_several_labels_are_ticked_and_saved(
    open_as: Open, multi_project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(multi_project, *TEXTS[:2])
    page = open_as(annotator, f"/projects/{multi_project.slug}/label/")
    first = text_of(page)
    expect(page.locator("#labels")).to_be_hidden()  # switches need a script
    for name in ("red", "blue"):
        page.get_by_role("checkbox", name=name).check()
    page.get_by_role("button", name="Save and next").click()
    expect(page.locator("#document-text")).not_to_have_text(first)
    second = text_of(page)
    page.get_by_role("button", name="Save and next").click()
    expect(page.get_by_text("Nothing was chosen")).to_be_visible()
    page.get_by_role("button", name="None applies").click()
    expect(page.locator("#card[data-empty]")).to_be_visible()
    assert answers(multi_project) == {first: ["blue", "red"], second: []}


def test_back_shows_the_decision_before_and_another_answer_changes_it(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:2])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    first = text_of(page)
    page.get_by_role("button", name="green").click()
    page.get_by_role("link", name="Back").click()
    expect(page.locator("#document-text")).to_have_text(first)
    expect(page.get_by_text("You are changing an earlier decision")).to_be_visible()
    page.get_by_role("button", name="red").click()
    expect(page.locator("#document-text")).not_to_have_text(first)
    assert answers(project) == {first: ["red"]}


def test_ticked_labels_come_back_ticked(
    open_as: Open, multi_project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(multi_project, *TEXTS[:2])
    page = open_as(annotator, f"/projects/{multi_project.slug}/label/")
    first = text_of(page)
    page.get_by_role("checkbox", name="green").check()
    page.get_by_role("button", name="Save and next").click()
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("checkbox", name="green")).to_be_checked()
    page.get_by_role("checkbox", name="green").uncheck()
    page.get_by_role("checkbox", name="red").check()
    page.get_by_role("button", name="Save and next").click()
    expect(page.locator("#document-text")).not_to_have_text(first)
    assert answers(multi_project) == {first: ["red"]}


def test_skip_and_flag_take_the_reason_along(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:2])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.get_by_role("button", name="Skip").click()
    page.get_by_label("Reason for a skip or a flag").fill("two topics")
    page.get_by_role("button", name="Flag for a lead").click()
    expect(page.locator("#card[data-empty]")).to_be_visible()
    kept = list(Annotation.objects.order_by("pk").values_list("outcome", "reason"))
    assert kept == [("skipped", ""), ("flagged", "two topics")]


def test_guidelines_are_open_and_what_needs_a_script_is_not_offered(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    Project.objects.update(guidelines="Choose what fits.")
    add_documents(project, *TEXTS[:2])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    expect(page.get_by_text("Choose what fits.")).to_be_visible()
    expect(page.locator(".status-line")).to_be_hidden()
    page.set_viewport_size({"width": 375, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 375
