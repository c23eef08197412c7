"""From a lead's invitation to the guest's first label, in two browsers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from annotate.models import Annotation, Document, Project, User
from tests.browser.test_labeling import TEXTS, card_of, press, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_an_invited_person_chooses_a_password_and_labels(
    open_as: Callable[[User, str], Page],
    browser: Browser,
    live_server: Any,
    project: Project,
    lead: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    add_documents(project, *TEXTS[:3])
    page = open_as(lead, f"/projects/{project.slug}/members/")
    page.get_by_label("Whom you invite").fill("Ada Lovelace")
    page.get_by_role("button", name="Make links").click()
    link = page.locator(".notice code").inner_text()
    assert violations(page) == []
    context = browser.new_context(viewport={"width": 375, "height": 800}, color_scheme="dark")
    guest = context.new_page()
    guest.goto(link)
    expect(guest.get_by_role("heading", level=1)).to_have_text(f"You are invited to “{project.name}”")
    assert violations(guest) == []
    guest.get_by_label("Username").fill("ada")
    guest.get_by_label("Password", exact=True).fill("a long enough sentence")
    guest.get_by_label("Password confirmation").fill("a long enough sentence")
    guest.get_by_role("button", name="Make the account and begin").click()
    expect(guest).to_have_url(f"{live_server.url}/projects/{project.slug}/label/")
    card_of(guest)
    press(guest, "1")
    assert Annotation.objects.get().annotator.username == "ada"
    context.close()
