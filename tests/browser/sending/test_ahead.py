"""The cards that a page holds behind the one on the screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotate.models import (
    Annotation,
    Assignment,
    Card,
    Decision,
    Document,
    ModelVersion,
    Prediction,
    Project,
    User,
)
from annotate.services.labeling import queue
from tests.annotate.views.test_labeling import suggest
from tests.browser.sending.test_closing import wait_until_given_back
from tests.browser.test_labeling import (
    TEXTS,
    answers,
    card_of,
    press,
    wait_for_next,
    wait_until_held,
    wait_until_sent,
)
from training.types import Answer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]
# From the key to the frame that has another text on the screen.
FRAMES = """key => new Promise(done => {
    const before = document.querySelector("#card").dataset.card;
    let frames = 0;
    const look = () => document.querySelector("#card").dataset.card === before
      ? (frames += 1, requestAnimationFrame(look)) : done(frames);
    document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
    requestAnimationFrame(look);
})"""


def label(open_as: Open, project: Project, annotator: User) -> Page:
    """Open the page, and wait until it holds two cards behind the one on the screen."""
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    wait_until_held(page, 2)
    return page


def held(page: Page) -> list[str]:
    return str(page.locator("#held-ahead").input_value()).split()


def text_of(page: Page) -> str:
    return page.locator("#document-text").inner_text()


def test_the_next_card_comes_without_the_server(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:6])
    page = label(open_as, project, annotator)
    first, ahead = text_of(page), held(page)
    page.route("**/label/", lambda route: route.abort())  # no answer of the server helps
    assert page.evaluate(FRAMES, "2") == 0  # the first frame has it
    assert card_of(page) == ahead[0]
    page.unroute("**/label/")
    wait_until_sent(page)
    wait_until_held(page, 2)
    assert held(page)[0] == ahead[1]
    assert answers(project) == {first: ["green"]}


def test_what_is_held_is_reserved_and_given_back_on_leaving(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:6])
    page = label(open_as, project, annotator)
    keys = {card_of(page), *held(page)}
    leased = Assignment.objects.leased().filter(annotator=annotator)
    assert {str(key) for key in leased.values_list("card", flat=True)} == keys
    assert leased.filter(is_ahead=True).count() == 2
    page.wait_for_load_state("networkidle")  # a pulse that is on its way holds the leases once more
    page.goto("about:blank")
    for key in keys:
        wait_until_given_back(key)


def test_a_reload_shows_the_same_card_and_holds_the_same_behind_it(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:6])
    page = label(open_as, project, annotator)
    press(page, "1")
    wait_until_held(page, 2)
    shown, ahead = card_of(page), held(page)
    page.reload()
    assert card_of(page) == shown
    wait_until_held(page, 2)
    assert held(page) == ahead


def test_a_newer_batch_replaces_what_nobody_has_seen(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    documents = add_documents(project, *TEXTS[:12])
    page = label(open_as, project, annotator)
    shown, ahead = card_of(page), held(page)
    touched = set(Assignment.objects.leased().values_list("document", flat=True))
    best = [document.pk for document in documents if document.pk not in touched][:4]
    project.holdout_queue_share = 0.0
    project.save()
    queue.refill(project=project, strategy="margin", version=None, documents=best)
    press(page, "1")  # shows the first of those held, which the page cannot know to be past
    assert card_of(page) == ahead[0] != shown
    wait_until_held(page, 2)
    fresh = Assignment.objects.filter(card__in=held(page))
    assert set(fresh.values_list("document", flat=True)) == set(best[:2])
    press(page, "1")
    assert not Assignment.objects.filter(card=ahead[1]).exists()  # its place waits again, behind the others


def test_a_newer_models_suggestion_replaces_what_nobody_has_seen(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    documents = add_documents(project, *TEXTS[:6])
    for document in documents:
        suggest(project, document, ("red", 0.9))
    page = label(open_as, project, annotator)
    expect(page.locator("#card .suggestion")).to_contain_text("red")
    ahead = held(page)
    project.versions.update(stage="retired")
    newer = ModelVersion.objects.create(
        project=project, number=4, family="tfidf", labelled=9, holdout_documents=0, stage="published"
    )
    green = project.labels.get(name="green").pk
    said = Answer((green,), scores=((green, 0.8),))
    for prediction in Prediction.objects.filter(document__in=documents):
        prediction.version, prediction.answer = newer, said
        prediction.save()
    press(page, "1")  # shows the first of those held, which the page cannot know to be past
    assert card_of(page) == ahead[0]
    wait_until_held(page, 2)
    fresh = Card.objects.filter(key__in=held(page))
    assert set(fresh.values_list("shown_version", flat=True)) == {newer.pk}
    press(page, "1")
    assert card_of(page) not in ahead
    expect(page.locator("#card .suggestion")).to_contain_text("green")
    wait_until_sent(page)
    assert Annotation.objects.count() == Decision.objects.count() == 2


def test_another_tab_leaves_a_card_that_was_decided_here(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:6])
    page = label(open_as, project, annotator)
    other = page.context.new_page()
    other.goto(page.url)
    card = card_of(other)
    assert card == card_of(page)
    press(page, "1")
    wait_for_next(other, card)
    expect(other.locator("#refusals")).to_contain_text("was decided on another page of yours")
    for tab, key in ((page, "2"), (other, "3"), (page, "2"), (other, "3")):
        press(tab, key)
    wait_until_sent(page)
    assert Annotation.objects.count() == Decision.objects.count() == 5  # each card was decided once


def test_a_card_ahead_that_is_no_longer_ours_goes_unseen(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    """As where its document was deleted, or a colleague was given it."""
    add_documents(project, *TEXTS[:6])
    page = label(open_as, project, annotator)
    lost = held(page)[1]
    place = Assignment.objects.get(card=lost)
    place.document.delete()
    press(page, "1")
    wait_until_held(page, 2)
    assert lost not in held(page)


def test_an_archived_label_is_on_no_card_that_comes(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:8])
    page = label(open_as, project, annotator)
    project.labels.filter(name="green").update(archived_at=timezone.now())
    press(page, "1")
    expect(page.get_by_role("button", name="green")).to_be_visible()  # the card was there before
    text = text_of(page)
    press(page, "2")
    expect(page.locator("#refusals")).to_contain_text("no longer, one of this project's labels")
    assert text not in answers(project)
    expect(page.get_by_role("button", name="green")).to_have_count(0)


def test_cards_of_a_project_that_was_deleted_are_decided_and_kept_until_somebody_has_seen_why(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:6])
    page = label(open_as, project, annotator)
    ahead = held(page)
    Project.objects.filter(pk=project.pk).update(deleted_at=timezone.now())
    page.keyboard.press("1")
    expect(page.locator("#outbox")).to_contain_text(
        "You may no longer label in this project, or the project is gone"
    )
    assert card_of(page) == ahead[0]
    page.keyboard.press("2")
    page.wait_for_selector(f'#card[data-ready]:not([data-card="{ahead[0]}"])')
    assert card_of(page) == ahead[1]
    assert Decision.objects.count() == 0
    kept = "() => Object.keys(localStorage).filter((key) => key.startsWith('winnow/outbox/')).length"
    assert page.evaluate(kept) == 2
    Project.objects.filter(pk=project.pk).update(deleted_at=None)  # as where it is restored in time
    page.reload()
    page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.startsWith('winnow/outbox/'))")
    assert sorted(answers(project).values()) == [["green"], ["red"]]
