from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Document, Prediction, Project, User
from annotate.services.versions import explanations, predictions
from tests.annotate.made.bundles import add_version
from training.types import Answer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_reasons_appear_under_the_suggestion_and_keys_go_on_working(
    open_as: Callable[[User, str], Page],
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    tmp_path: Path,
    settings: Any,
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    predictions.CACHE.clear()
    explanations.may_explain.cache_clear()
    (document,) = add_documents(project, "a green tree, not red")
    green = project.labels.get(name="green").pk
    version = add_version(project, tmp_path)
    Prediction.objects.create(
        document=document, version=version, answer=Answer((green,), scores=((green, 0.9),))
    )
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.wait_for_selector("#card[data-ready]")
    page.wait_for_timeout(400)  # a click right after a card appears may be the half of a double click
    page.get_by_role("link", name="Why?").click()
    expect(page.locator("#why q")).to_have_text(["green", "red"])
    expect(page.locator("#suggestion")).to_be_visible()
    page.keyboard.press("1")
    page.wait_for_selector("#card[data-empty]")
    assert Annotation.objects.get().labels.get().name == "red"
    explanations.may_explain.cache_clear()


@pytest.fixture
def decided(project: Project, annotator: User, add_documents: Callable[..., list[Document]]) -> Document:
    """A document that the annotator called red, before another one that waits."""
    (document,) = add_documents(project, "a <b>rose</b> & a ruby")
    annotation = Annotation.objects.create(
        project=project, document=document, annotator=annotator, outcome="answered"
    )
    annotation.choices.create(label=project.labels.get(name="red"))
    add_documents(project, "the one that waits")
    return document


def test_one_key_shows_what_people_gave_each_label_beside_the_text(
    decided: Document, open_as: Callable[[User, str], Page], project: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.wait_for_selector("#card[data-ready]")
    page.keyboard.press("x")
    expect(page.locator("#guidelines")).to_be_visible()
    red = project.labels.get(name="red").pk
    expect(page.locator(f"#examples-{red} li")).to_have_text(["a <b>rose</b> & a ruby"])
    expect(page.locator("#guidelines .muted")).to_have_count(2)  # green and blue have none yet
    # On the way back to that decision its text is no example any more.
    page.keyboard.press("u")
    page.wait_for_selector(f"#card[data-ready][data-document='{decided.pk}']")
    expect(page.locator(f"#examples-{red} li")).to_be_hidden()
    page.keyboard.press("x")
    expect(page.locator(f"#examples-{red} .muted")).to_be_visible()


def test_a_label_with_the_focus_is_the_one_in_question(
    decided: Document, open_as: Callable[[User, str], Page], project: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    page.wait_for_selector("#card[data-ready]")
    page.locator(".choice", has_text="red").focus()
    page.keyboard.press("x")
    expect(page.locator("#guidelines li")).to_have_count(1)
    expect(page.locator("#guidelines .muted")).to_have_count(0)
