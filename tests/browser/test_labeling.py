from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Decision, Document, Label, Project, User
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXTS = [f"text number {n}" for n in range(1, 31)]
READY = "#card[data-ready]"
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]


def wait_for_next(page: Page, card: str, *, is_sent: bool = True) -> str:
    """Wait for another card, and until the server has what was decided, where `is_sent` says that it can."""
    if is_sent:
        wait_until_sent(page)
    page.wait_for_selector(f'{READY}:not([data-card="{card}"])')
    return card_of(page)


def card_of(page: Page) -> str:
    return page.wait_for_selector(READY).get_attribute("data-card") or ""


def press(page: Page, key: str) -> str:
    """Press a key that decides, and wait for the next card and until the server has the decision."""
    card = card_of(page)
    page.keyboard.press(key)
    following = wait_for_next(page, card)
    wait_until_sent(page)
    return following


def wait_until_sent(page: Page) -> None:
    page.wait_for_selector('#bench:not([data-unsent]), #bench[data-unsent="0"]', state="attached")


def wait_until_held(page: Page, n: int) -> None:
    """Wait until the page holds `n` cards behind the one on the screen."""
    page.wait_for_function("n => document.querySelector('#held-ahead').value.split(' ').length === n", arg=n)


def answers(project: Project) -> dict[str, list[str]]:
    kept = Annotation.objects.filter(project=project).order_by("pk")
    return {a.document.text: sorted(label.name for label in a.labels.all()) for a in kept}


def test_a_person_logs_in_and_reaches_the_labelling_page(
    page: Page, live_server: Any, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, "the sky")
    page.goto(f"{live_server.url}/projects/{project.slug}/label/")
    page.get_by_label("Username").fill(annotator.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#document-text")).to_have_text("the sky")


def test_twenty_documents_are_labelled_by_keyboard_alone(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:20])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    wanted = {}
    for n in range(20):
        key = str(n % 3 + 1)
        wanted[page.locator("#document-text").inner_text()] = [("red", "green", "blue")[n % 3]]
        card = card_of(page)
        page.keyboard.press(key)
        if n < 19:
            wait_for_next(page, card)
    expect(page.locator("#card[data-empty]")).to_be_visible()
    assert len(wanted) == 20
    assert answers(project) == wanted
    assert Decision.objects.count() == 20


def test_back_shows_the_decision_before_and_another_key_changes_it(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:4])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    first = page.locator("#document-text").inner_text()
    press(page, "1")
    second = page.locator("#document-text").inner_text()
    press(page, "1")
    open_text = page.locator("#document-text").inner_text()
    press(page, "Backspace")
    expect(page.locator("#document-text")).to_have_text(second)
    press(page, "u")
    expect(page.locator("#document-text")).to_have_text(first)
    expect(page.get_by_role("button", name="red")).to_have_attribute("aria-pressed", "true")
    press(page, "3")
    expect(page.locator("#document-text")).to_have_text(open_text)
    assert answers(project) == {first: ["blue"], second: ["red"]}


def test_fast_typing_never_labels_the_next_document(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:5])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    first, card = page.locator("#document-text").inner_text(), card_of(page)
    # All five keys are down before the answer to the first one can be on the screen.
    page.evaluate(
        """() => { for (const key of ["2", "1", "1", "3", "1"])
          document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true})) }"""
    )
    wait_for_next(page, card)
    wait_until_sent(page)
    assert answers(project) == {first: ["green"]}


def test_a_double_click_is_one_decision(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card = card_of(page)
    page.wait_for_timeout(350)
    page.get_by_role("button", name="green").dblclick(delay=60)
    wait_for_next(page, card)
    page.wait_for_timeout(300)
    assert Decision.objects.count() == 1


def test_without_a_network_the_cards_at_hand_are_decided_and_sent_once_when_it_returns(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:5])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    wait_until_held(page, 2)
    page.context.set_offline(True)
    wanted = {}
    for n, (key, name) in enumerate((("2", "green"), ("1", "red"), ("3", "blue"))):
        card = card_of(page)
        wanted[page.locator("#document-text").inner_text()] = [name]
        page.keyboard.press(key)
        if n < 2:
            wait_for_next(page, card, is_sent=False)
    expect(page.locator("#outbox")).to_contain_text("3 decisions are kept in this browser")
    page.keyboard.press("1")  # nothing is on the screen that it could mean
    assert Decision.objects.count() == 0
    page.context.set_offline(False)
    wait_for_next(page, card)
    expect(page.locator("#outbox")).to_be_hidden()
    assert answers(project) == wanted
    assert Decision.objects.count() == 3


def test_a_kept_decision_outlives_a_reload(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    first, card = page.locator("#document-text").inner_text(), card_of(page)
    page.route("**/label/", lambda route: route.abort())
    page.keyboard.press("2")
    expect(page.locator("#outbox")).to_contain_text("Your decision is kept")
    page.unroute("**/label/")
    page.reload()
    wait_for_next(page, card)
    assert answers(project) == {first: ["green"]}


def test_multi_labels_are_switched_by_keys_and_saved_by_enter(
    open_as: Open, multi_project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(multi_project, *TEXTS[:2])
    page = open_as(annotator, f"/projects/{multi_project.slug}/label/")
    first = page.locator("#document-text").inner_text()
    card_of(page)
    for key in ("1", "2", "3", "2"):
        page.keyboard.press(key)
    expect(page.locator("#chosen")).to_have_text("red · blue")
    press(page, "Enter")
    assert answers(multi_project) == {first: ["blue", "red"]}


def test_skip_and_flag_with_a_reason(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    press(page, "Space")
    page.keyboard.press("Shift+F")
    page.keyboard.type("two topics")
    press(page, "Enter")
    kept = list(Annotation.objects.order_by("pk").values_list("outcome", "reason"))
    assert kept == [("skipped", ""), ("flagged", "two topics")]


def test_a_label_among_sixty_is_found_by_typing(
    open_as: Open, make_project: Callable[..., Project], annotator: User, add_documents: AddDocuments
) -> None:
    project = make_project(labels=("red",))
    names = [f"topic {n:02}" for n in range(58)] + ["lost or stolen card"]
    Label.objects.bulk_create(
        Label(project=project, name=name, position=n) for n, name in enumerate(names, start=1)
    )
    add_documents(project, *TEXTS[:2])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    first, card = page.locator("#document-text").inner_text(), card_of(page)
    page.keyboard.press("/")
    page.keyboard.type("stln crd")
    expect(page.locator(".choice:visible")).to_have_count(1)
    page.keyboard.press("Enter")
    wait_for_next(page, card)
    assert answers(project) == {first: ["lost or stolen card"]}


def test_a_phone_needs_no_sideways_scrolling(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, "a-very-long-word-without-an-end" * 20)
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.set_viewport_size({"width": 375, "height": 700})
    card_of(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 375


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(
    open_as: Open,
    make_project: Callable[..., Project],
    annotator: User,
    add_documents: AddDocuments,
    scheme: Any,
) -> None:
    for task in ("single", "multi"):
        project = make_project(slug=task, task=task, guidelines="Choose what fits.")
        add_documents(project, "the sky")
        page = open_as(annotator, f"/projects/{project.slug}/label/")
        page.emulate_media(color_scheme=scheme)
        card_of(page)
        page.keyboard.press("g")
        assert violations(page) == []
        page.keyboard.press("?")
        assert violations(page) == []


def test_a_screen_reader_says_what_each_part_of_the_card_is(
    open_as: Open, make_project: Callable[..., Project], annotator: User, add_documents: AddDocuments
) -> None:
    project = make_project(slug="spoken", task="multi")
    project.labels.filter(name="green").update(description="Of leaves.")
    (document,) = add_documents(project, "the sky")
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    expect(page.locator("#card")).to_match_aria_snapshot("""
      - article:
        - region "Text to label": the sky
        - group "Labels":
          - button "red" [pressed=false]
          - button "green" [pressed=false]
          - button "blue" [pressed=false]
        - button "Save and next"
        - button "None applies"
        - status: Nothing is chosen yet
        - button "Skip"
        - button "Flag for a lead"
        - textbox "Reason for a skip or a flag (optional)"
        - link "Back"
    """)
    expect(page.get_by_role("button", name="green")).to_have_accessible_description("Of leaves.")
    page.keyboard.press("2")
    expect(page.get_by_role("button", name="green", pressed=True)).to_be_visible()
    expect(page.locator("#announcer")).to_have_text(
        document.text
    )  # a live region: each next text is read out


def violations(page: Page) -> list[tuple[str, str]]:
    found = Axe().run(page).response["violations"]
    return [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]]
