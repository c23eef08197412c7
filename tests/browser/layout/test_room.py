"""Labels keep their room beside open guidelines, and on a phone under the likeliest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotate.models import Document, Project, User, WorkerPulse
from annotate.queues import QUEUES
from tests.annotate.views.test_labeling import suggest
from tests.browser.layout.conftest import until
from tests.browser.layout.test_panes import LONG, NAMES, SEEN, labelled
from tests.browser.test_labeling import card_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]


@pytest.fixture
def crowded(make_project: Callable[..., Project], add_documents: Callable[..., list[Document]]) -> Project:
    """77 labels, five of them suggested for a long text, and workers that are there."""
    project = labelled(make_project, NAMES, guidelines="Choose what fits. " * 100)
    for document in add_documents(project, LONG):
        suggest(project, document, *((name, 0.5 / n) for n, name in enumerate(NAMES[-5:], start=1)))
    for queue in QUEUES:
        WorkerPulse.objects.create(queue=queue, seen_at=timezone.now() + timedelta(hours=1))
    return project


def test_open_guidelines_leave_most_of_the_labels_in_sight(
    open_as: Open, crowded: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{crowded.slug}/label/")
    card_of(page)
    page.keyboard.press("g")
    expect(page.locator("#guidelines")).to_be_visible()
    expect(page.locator("#progress")).to_contain_text("left for you")
    until(page, f"({SEEN})() >= 40")
    text = page.locator("#document-text").bounding_box()
    assert text
    assert text["width"] >= 300


def test_a_phone_has_the_finder_and_labels_under_five_suggestions(
    open_on_phone: Open, crowded: Project, annotator: User
) -> None:
    page = open_on_phone(annotator, f"/projects/{crowded.slug}/label/")
    card_of(page)
    expect(page.locator("#progress")).to_contain_text("more labels until the next model")
    expect(page.locator(".likely")).to_have_count(5)
    expect(page.locator("#label-search")).to_be_in_viewport(ratio=1)
    until(page, f"({SEEN})() >= 2")
    parts = page.locator(".progress-part:visible").evaluate_all("all => all.map((one) => one.offsetTop)")
    assert len(set(parts)) == 1  # one line
