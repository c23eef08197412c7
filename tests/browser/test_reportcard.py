"""The report card in a real browser: accessible in light and dark, on a phone too, one click publishes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Project, User
from tests.annotate.made.cards import add_card
from tests.browser.test_labeling import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(open_as: Callable[[User, str], Page], lead: User, project: Project) -> Page:
    add_card(project)
    return open_as(lead, reverse("reportcard", args=[project.slug]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_phone(scheme: Literal["light", "dark"], page: Page) -> None:
    page.emulate_media(color_scheme=scheme)
    assert violations(page) == []
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.evaluate("document.querySelector('.table-wrap').scrollWidth") <= 375
    assert violations(page) == []


def test_the_recommended_one_has_the_first_button(page: Page) -> None:
    expect(page.locator(".recommendation")).to_contain_text("tfidf v2 is within noise")
    page.locator("tr.recommended").get_by_role("button", name="Publish tfidf v2").click()
    expect(page.get_by_text("Version 2 cannot be published")).to_be_visible()  # it has no bundle here
