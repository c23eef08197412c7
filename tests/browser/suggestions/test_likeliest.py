"""Of many labels, the likeliest stand first on keys that never change; the full list below stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from annotate.models import Annotation, Document, Label, Project, User
from annotate.models.documents import Lane
from tests.annotate.views.test_labeling import suggest
from tests.browser.test_labeling import TEXTS, answers, card_of, press, violations, wait_for_next

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NAMES = [f"label {n}" for n in range(1, 25)]
LIKELY = [("label 20", 0.4), ("label 3", 0.3), ("label 24", 0.2), ("label 9", 0.05), ("label 22", 0.03)]
Open = Callable[[User, str], Page]
Make = Callable[..., Project]
AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def make_many(make_project: Make, add_documents: AddDocuments) -> Callable[..., Project]:
    def make(names: list[str] = NAMES, documents: int = 3, **fields: Any) -> Project:
        project = make_project(labels=(), **fields)
        Label.objects.bulk_create(
            Label(project=project, name=name, position=n) for n, name in enumerate(names)
        )
        for document in add_documents(project, *TEXTS[:documents]):
            suggest_to(project, document)
        return project

    return make


def suggest_to(project: Project, document: Document) -> None:
    names = project.labels.values_list("name", flat=True)
    pairs = LIKELY if LIKELY[0][0] in names else [(name, 0.9 - n / 10) for n, name in enumerate(names[:5])]
    suggest(project, document, *pairs)
    if not project.task_type.toggles:
        best = project.labels.get(name=pairs[0][0]).pk
        answer = document.prediction.answer
        document.prediction.answer = type(answer)((best,), scores=answer.scores)
        document.prediction.save()


def label_page(project: Project) -> str:
    return f"/projects/{project.slug}/label/"


def test_five_stand_first_with_their_keys_and_their_confidence(
    open_as: Open, make_many: Callable[..., Project], annotator: User
) -> None:
    page = open_as(annotator, label_page(make_many()))
    card_of(page)
    likely = page.get_by_role("group", name="Likeliest labels").get_by_role("button")
    expect(likely.locator(".likely-name")).to_have_text([name for name, _score in LIKELY])
    expect(likely.locator(".percent")).to_have_text(["40 %", "30 %", "20 %", "5 %", "3 %"])
    shortcuts = likely.evaluate_all("found => found.map((one) => one.getAttribute('aria-keyshortcuts'))")
    assert shortcuts == ["a Enter", "s", "d", "j", "k"]
    expect(page.get_by_role("button", name="label 20 40 %", exact=True)).to_be_visible()
    assert page.locator(".choice .choice-name").all_text_contents() == NAMES
    assert violations(page) == []


@pytest.mark.parametrize(
    ("key", "chosen"), [("a", "label 20"), ("Enter", "label 20"), ("s", "label 3"), ("k", "label 22")]
)
def test_one_key_takes_one_of_the_likeliest(
    open_as: Open, make_many: Callable[..., Project], annotator: User, key: str, chosen: str
) -> None:
    project = make_many()
    page = open_as(annotator, label_page(project))
    first = page.locator("#document-text").inner_text()
    press(page, key)
    assert answers(project) == {first: [chosen]}
    assert Annotation.objects.get().shown is not None


def test_a_label_keeps_its_own_key_and_the_likeliest_take_the_next(
    open_as: Open, make_many: Callable[..., Project], annotator: User
) -> None:
    project = make_many()
    Label.objects.filter(name="label 5").update(hotkey="s")
    page = open_as(annotator, label_page(project))
    first = page.locator("#document-text").inner_text()
    expect(page.locator(".likely kbd")).to_have_text(["a", "↵", "d", "j", "k", "l"])
    press(page, "s")
    second = page.locator("#document-text").inner_text()
    press(page, "d")
    assert answers(project) == {first: ["label 5"], second: ["label 3"]}


def test_nothing_is_likely_on_a_holdout_card_and_its_keys_do_nothing(
    open_as: Open, make_many: Callable[..., Project], annotator: User
) -> None:
    project = make_many()
    Document.objects.update(lane=Lane.HOLDOUT, half="tuning")
    page = open_as(annotator, label_page(project))
    card = card_of(page)
    expect(page.locator(".likely")).to_have_count(0)
    for key in ("a", "s", "Enter"):
        page.keyboard.press(key)
    page.wait_for_timeout(200)
    assert (card_of(page), Annotation.objects.count()) == (card, 0)


def test_after_the_choice_the_likeliest_are_hidden_and_their_keys_do_nothing_before(
    open_as: Open, make_many: Callable[..., Project], annotator: User
) -> None:
    project = make_many(suggestions="after")
    page = open_as(annotator, label_page(project))
    card = card_of(page)
    expect(page.locator("#likeliest")).to_be_hidden()
    page.keyboard.press("a")
    page.wait_for_timeout(200)
    assert (card_of(page), Annotation.objects.count()) == (card, 0)
    page.keyboard.press("1")
    expect(page.locator("#likeliest")).to_be_visible()
    page.keyboard.press("s")
    wait_for_next(page, card)
    assert Annotation.objects.get().labels.get().name == "label 3"


def test_ten_labels_are_as_they_were(
    open_as: Open, make_many: Callable[..., Project], annotator: User
) -> None:
    project = make_many(NAMES[:10])
    page = open_as(annotator, label_page(project))
    card_of(page)
    expect(page.locator(".likely")).to_have_count(0)
    press(page, "Enter")
    assert Annotation.objects.get().labels.get().name == "label 1"


def test_without_scripts_the_likeliest_are_buttons_of_the_form(
    browser: Browser, live_server: Any, make_many: Callable[..., Project], annotator: User, sign_in: Any
) -> None:
    project = make_many()
    context = browser.new_context(java_script_enabled=False)
    cookie = sign_in(annotator).cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page = context.new_page()
    page.goto(live_server.url + label_page(project))
    first = page.locator("#document-text").inner_text()
    page.get_by_role("group", name="Likeliest labels").get_by_role("button", name="label 3").click()
    expect(page.locator("#document-text")).not_to_have_text(first)
    assert answers(project) == {first: ["label 3"]}
    context.close()


@pytest.mark.parametrize("width", [375, 1280])
def test_names_of_every_kind_fit(
    open_as: Open, make_many: Callable[..., Project], annotator: User, width: int
) -> None:
    odd = ["W" * 200, "🦊", "שלום עולם", "a name " * 28 + "end", "e" + "\u0301" * 40]
    project = make_many([*odd, *NAMES])
    for document in Document.objects.filter(project=project):
        document.prediction.delete()
        suggest(project, document, *[(name, 0.5 - n / 10) for n, name in enumerate(odd)])
    page = open_as(annotator, label_page(project))
    page.set_viewport_size({"width": width, "height": 800})
    card_of(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for box in [button.bounding_box() for button in page.locator(".likely").all()]:
        assert box
        assert box["height"] < 80
        assert box["x"] + box["width"] <= width
    assert violations(page) == []
    page.keyboard.press("/")
    page.keyboard.type("🦊")
    expect(page.locator(".choice:visible")).to_have_count(1)


def test_several_of_many_are_switched_by_the_keys_of_the_likeliest(
    open_as: Open, make_many: Callable[..., Project], annotator: User
) -> None:
    project = make_many(task="multi")
    page = open_as(annotator, label_page(project))
    first = page.locator("#document-text").inner_text()
    card_of(page)
    page.keyboard.press("s")
    page.keyboard.press("d")
    expect(page.locator("#chosen")).to_have_text("label 3 · label 24")
    expect(page.locator(".likely[aria-pressed=true] .likely-name")).to_have_text(["label 3", "label 24"])
    page.keyboard.press("3")  # the same label in the full list
    expect(page.locator(".likely[aria-pressed=true] .likely-name")).to_have_text(["label 24"])
    assert violations(page) == []
    press(page, "Enter")
    assert answers(project) == {first: ["label 24"]}
