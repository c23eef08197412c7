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
