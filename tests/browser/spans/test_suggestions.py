"""What a model would mark is drawn apart, and is nobody's answer until somebody accepts it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from annotate.models import Annotation, Decision, Document, Prediction, Project, User
from tests.annotate.made.bundles import add_version
from tests.browser.spans.test_marking import keys, listed, marked
from tests.browser.test_labeling import card_of, violations, wait_for_next, wait_until_held, wait_until_sent
from training.types import Answer, Span

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TEXT = "Ada met Bob in Paris."
AddDocuments = Callable[..., list[Document]]
LONG = "The weather was grey and nobody came. " * 400


Predict = Callable[..., None]


@pytest.fixture
def predict(entities: Project, tmp_path: Path) -> Predict:
    """Let a version say where some words with their labels stand, each less sure than the one before."""
    label = dict(entities.labels.values_list("name", "pk"))
    version = add_version(entities, tmp_path, number=1)

    def predict(document: Document, **words: str) -> None:
        places = [(document.text.rindex(some), len(some), label[name]) for name, some in words.items()]
        spans = tuple(Span(start, start + length, key) for start, length, key in places)
        scores = tuple((span.label, 0.9 - 0.3 * i) for i, span in enumerate(spans))
        Prediction.objects.create(document=document, version=version, answer=Answer((), spans, scores))

    return predict


@pytest.fixture
def opened(open_as: Callable[[User, str], Page], entities: Project, annotator: User) -> Callable[[], Page]:
    def opened() -> Page:
        page = open_as(annotator, f"/projects/{entities.slug}/label/")
        card_of(page)
        return page

    return opened


@pytest.fixture
def card(
    opened: Callable[[], Page], entities: Project, add_documents: AddDocuments, predict: Predict
) -> Page:
    (document,) = add_documents(entities, TEXT)
    predict(document, person="Ada", place="Paris")
    return opened()


def test_one_is_accepted_one_rejected_and_enter_takes_no_other(card: Page, entities: Project) -> None:
    assert listed(card) == ["person 90 % Ada (suggested)", "place 60 % Paris (suggested)"]
    expect(card.locator(".span-suggested")).to_have_count(2)
    keys(card, "Enter")
    expect(card.locator("#chosen")).to_contain_text("nothing was saved")
    keys(card, "Tab", "a")
    assert listed(card) == ["person Ada", "place 60 % Paris (suggested)"]
    keys(card, "Enter")
    expect(card.locator("#card[data-empty]")).to_be_visible()
    wait_until_sent(card)
    assert marked(entities) == {TEXT: [("Ada", "person")]}
    shown = Annotation.objects.get().shown
    assert shown is not None
    assert len(shown.spans) == 2


def test_all_are_accepted_by_a_key_of_their_own_and_one_is_corrected(card: Page, entities: Project) -> None:
    keys(card, "Tab", "Tab", "3", ".")
    assert listed(card) == ["person Ada", "product Paris"]
    keys(card, "Tab", "d")
    assert len(listed(card)) == 1


def test_one_that_is_grown_is_a_decision_and_what_was_rejected_comes_back_by_undo(
    card: Page, entities: Project
) -> None:
    keys(card, "Tab", "]")
    assert listed(card) == ["person Ada met", "place 60 % Paris (suggested)"]
    keys(card, "Tab", "d", "z")
    assert listed(card) == ["person Ada met", "place 60 % Paris (suggested)"]
    keys(card, "Enter")
    wait_until_sent(card)
    assert marked(entities) == {TEXT: [("Ada met", "person")]}


def test_nothing_here_is_said_over_suggestions_by_its_own_key_alone(card: Page, entities: Project) -> None:
    keys(card, "Tab", "d", "d", "Enter")
    expect(card.locator("#chosen")).to_contain_text("nothing was saved")
    keys(card, "n")
    wait_until_sent(card)
    assert marked(entities) == {TEXT: []}


def test_what_is_accepted_without_a_network_is_sent_once_when_it_returns(
    context: BrowserContext,
    opened: Callable[[], Page],
    entities: Project,
    add_documents: AddDocuments,
    predict: Predict,
) -> None:
    texts = [f"{name} met Bob in Paris." for name in ("Ada", "Cleo", "Dora")]
    for document, name in zip(add_documents(entities, *texts), ("Ada", "Cleo", "Dora"), strict=True):
        predict(document, person=name, place="Paris")
    page = opened()
    wait_until_held(page, 2)
    context.set_offline(True)
    first = card_of(page)
    keys(page, ".", "Enter")
    wait_for_next(page, first, is_sent=False)
    keys(page, "Tab", "d", ".", "Enter")
    expect(page.locator("#outbox")).to_contain_text("2 decisions are kept")
    assert not Annotation.objects.exists()
    context.set_offline(False)
    wait_until_sent(page)
    assert sorted(map(len, marked(entities).values())) == [1, 2]
    assert {len(one.shown.spans) for one in Annotation.objects.all() if one.shown} == {2}
    assert Decision.objects.count() == 2


def test_a_text_that_is_held_out_shows_none(
    opened: Callable[[], Page], entities: Project, add_documents: AddDocuments, predict: Predict
) -> None:
    (document,) = add_documents(entities, TEXT, lane="holdout")
    predict(document, person="Ada")
    page = opened()
    expect(page.locator("#suggestion")).to_have_count(0)
    assert listed(page) == []


def test_a_long_text_opens_where_the_first_one_is(
    opened: Callable[[], Page], entities: Project, add_documents: AddDocuments, predict: Predict
) -> None:
    (document,) = add_documents(entities, LONG + "Ada came.")
    predict(document, person="Ada")
    expect(opened().locator("#spans [aria-current]")).to_contain_text("Ada")


def test_one_that_comes_late_does_not_move_the_text(
    opened: Callable[[], Page], entities: Project, add_documents: AddDocuments, predict: Predict
) -> None:
    Project.objects.update(reading_speed=30_000)
    (document,) = add_documents(entities, "Ada came. " + LONG)
    predict(document, person="Ada")
    page = opened()
    keys(page, "End")
    page.locator("#document-text").evaluate("pane => { pane.scrollTop = 700 }")
    expect(page.locator("#suggestion")).to_be_visible(timeout=20_000)
    assert len(listed(page)) == 1
    assert page.locator("#document-text").evaluate("pane => pane.scrollTop") == 700


def test_suggestions_fit_a_phone_and_are_accessible(card: Page) -> None:
    card.set_viewport_size({"width": 375, "height": 800})
    expect(card.get_by_role("button", name="Accept all")).to_be_in_viewport()
    assert violations(card) == []
    assert card.evaluate("document.documentElement.scrollWidth") <= 375
