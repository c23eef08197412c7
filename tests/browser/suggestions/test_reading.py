"""Where the project wants it, a suggestion waits until its text could be read; answers never do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Document, Project, User
from tests.annotate.views.test_labeling import suggest
from tests.browser.test_labeling import answers, card_of, press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
Make = Callable[..., Project]
AddDocuments = Callable[..., list[Document]]
SLOW = 1  # a word a minute: nobody waits for it here
QUICK = 600  # twenty words in two seconds
TEXTS = [f"{'word ' * 19}{n}" for n in range(3)]
OpenPaced = Callable[..., Page]


@pytest.fixture
def open_paced(open_as: Open, make_project: Make, annotator: User, add_documents: AddDocuments) -> OpenPaced:
    """Open the labelling page of a project with these settings, whose model suggests blue for every text."""

    def open_paced(**settings: object) -> Page:
        project = make_project(**settings)
        for document in add_documents(project, *TEXTS):
            suggest(project, document, ("blue", 0.9))
        return open_as(annotator, f"/projects/{project.slug}/label/")

    return open_paced


def test_an_answer_before_the_suggestion_is_kept_without_it(open_paced: OpenPaced) -> None:
    page = open_paced(reading_speed=SLOW)
    first, card = page.locator("#document-text").inner_text(), card_of(page)
    expect(page.locator("#suggestion")).to_be_hidden()
    page.keyboard.press("Enter")  # means nothing yet
    page.wait_for_timeout(200)
    assert (card_of(page), Annotation.objects.count()) == (card, 0)
    press(page, "1")
    assert answers(Project.objects.get()) == {first: ["red"]}
    assert Annotation.objects.get().shown is None


def test_the_suggestion_appears_where_its_place_was_kept(open_paced: OpenPaced) -> None:
    page = open_paced(reading_speed=QUICK)
    card_of(page)
    box = page.locator("#labels").bounding_box()
    expect(page.locator("#suggestion")).to_be_visible()
    assert page.locator("#labels").bounding_box() == box
    press(page, "Enter")
    kept = Annotation.objects.get()
    assert kept.labels.get().name == "blue"
    assert kept.shown is not None


def test_switches_are_on_only_when_the_suggestion_appears(open_paced: OpenPaced) -> None:
    page = open_paced(task="multi", reading_speed=QUICK)
    card_of(page)
    expect(page.locator("#chosen")).to_have_text("Nothing is chosen yet")
    expect(page.locator("#chosen")).to_contain_text("Suggested: blue")


def test_a_choice_is_never_replaced_by_a_suggestion_that_comes_late(open_paced: OpenPaced) -> None:
    page = open_paced(task="multi", reading_speed=QUICK)
    card_of(page)
    page.keyboard.press("1")
    expect(page.locator("#suggestion")).to_be_visible()
    expect(page.locator("#chosen")).to_have_text("red")
