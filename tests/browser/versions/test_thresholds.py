"""A lead changes a threshold: sees what it does, saves it, and lets it serve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Document, Project, User
from annotate.models.documents import Half
from annotate.models.versions import Sample
from annotate.services.versions import predictions
from tests.annotate.made.bundles import add_version
from tests.annotate.made.scored import hold_out, keep
from tests.browser.test_labeling import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def scored(
    multi_project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    settings: Any,
    tmp_path: Path,
) -> Project:
    """Red is said from 0.5 on, and is right from 0.8 on."""
    settings.BUNDLE_ROOT = tmp_path
    predictions.CACHE.clear()
    version = add_version(multi_project, tmp_path)
    scores = [(score, 0.1, 0.1) for score in (0.3, 0.6, 0.8, 0.9)] * 6
    answers = [("red",) if score[0] >= 0.8 else () for score in scores]
    halves = [hold_out(multi_project, annotator, answers, half) for half in (Half.TUNING, Half.REPORTING)]
    keep(version, Sample.HOLDOUT, [*halves[0], *halves[1]], scores * 2, raw=scores * 2)
    pool = add_documents(multi_project, "red at least a little", "very red")
    keep(version, Sample.POOL, pool, [(0.7, 0.1, 0.1), (0.95, 0.1, 0.1)])
    return multi_project


def test_a_threshold_is_seen_saved_and_published(
    open_as: Callable[[User, str], Page], lead: User, scored: Project
) -> None:
    page = open_as(lead, reverse("version-thresholds", args=[scored.slug, 1]))
    page.get_by_label("For").select_option(label="red")
    page.get_by_label("take").select_option(label="a precision of at least")
    page.get_by_label("share or beta").fill("1")
    page.get_by_role("button", name="Show what it changes").first.click()
    expect(page.get_by_text("1 threshold differs")).to_be_visible()
    expect(page.get_by_label("Threshold of red", exact=True)).to_have_value("0.8")
    page.get_by_text("lose it: 1").click()
    expect(page.get_by_role("link", name="red at least a little").first).to_be_visible()
    assert violations(page) == []

    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_text("Saved as version 2.")).to_be_visible()
    assert scored.versions.published().get().number == 1
    page.get_by_role("button", name="Publish version 2").click()
    expect(page.get_by_text("Version 2 is published.")).to_be_visible()
    assert predictions.predict(project=scored, texts=["red"]).version == 2
    page.get_by_role("button", name="Roll back to version 1").click()
    expect(page.get_by_text("Version 1 is published.")).to_be_visible()


def test_a_threshold_is_moved_on_its_curve_by_keyboard_and_pointer(
    open_as: Callable[[User, str], Page], lead: User, scored: Project
) -> None:
    page = open_as(lead, reverse("version-thresholds", args=[scored.slug, 1]))
    field, cut = page.get_by_label("Threshold of red", exact=True), page.locator(".cut")
    cut.get_by_role("slider").press("End")
    expect(field).to_have_value("0.9")
    cut.get_by_role("slider").press("ArrowLeft")
    expect(field).to_have_value("0.8")
    expect(cut.get_by_role("status")).to_have_text("threshold 0.800, precision 1.00, recall 1.00")
    page.locator("circle[data-threshold='0.3']").click(force=True)
    expect(field).to_have_value("0.3")
    box = page.locator("circle[data-threshold='0.6']").bounding_box()
    assert box is not None
    page.mouse.down()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.up()
    expect(field).to_have_value("0.6")
    cut.get_by_role("button", name="Show what it changes").click()
    expect(page.get_by_text("1 threshold differs")).to_be_visible()
    expect(page.get_by_text("no text of the last 7 days is kept")).to_be_visible()
    assert violations(page) == []


def test_a_least_confidence_is_found_by_the_share_that_is_to_be_right(
    open_as: Callable[[User, str], Page], lead: User, scored: Project
) -> None:
    page = open_as(lead, reverse("version-confidence", args=[scored.slug, 1]))
    page.get_by_label("Or the share of answers").fill("1")
    page.get_by_role("button", name="Find it on the tuning half").click()
    expect(page.get_by_role("heading", name="With at least")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_text("Saved as version 2.")).to_be_visible()
    assert scored.versions.get(number=2).abstain_below > 0.5
