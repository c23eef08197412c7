"""People come and go: a reviewer's invitation, a removal and its undo, a new password by a link."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from annotate.models import Annotation, Document, Membership, Project, User
from annotate.models.members import Role
from tests.browser.test_labeling import TEXTS, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def guest(browser: Browser) -> Iterator[Page]:
    """Somebody else's phone, in the dark."""
    context = browser.new_context(viewport={"width": 375, "height": 800}, color_scheme="dark")
    yield context.new_page()
    context.close()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_an_invited_reviewer_corrects_a_document_and_finds_nothing_to_change(
    open_as: Callable[[User, str], Page],
    guest: Page,
    live_server: Any,
    project: Project,
    lead: User,
    annotator: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    document, *_others = add_documents(project, *TEXTS[:3])
    Annotation.objects.create(project=project, document=document, annotator=annotator, outcome="flagged")
    page = open_as(lead, f"/projects/{project.slug}/members/")
    page.get_by_label("Whom you invite").fill("Rita")
    page.locator("form", has=page.get_by_label("Whom you invite")).get_by_label("Role").select_option(
        "reviewer"
    )
    page.get_by_role("button", name="Make links").click()
    guest.goto(page.locator(".notice code").inner_text())
    expect(guest.locator("main")).to_contain_text("changes no settings and no members")
    assert violations(guest) == []
    guest.get_by_label("Username").fill("rita")
    guest.get_by_label("Password", exact=True).fill("a long enough sentence")
    guest.get_by_label("Password confirmation").fill("a long enough sentence")
    guest.get_by_role("button", name="Make the account and begin").click()
    expect(guest).to_have_url(f"{live_server.url}/projects/{project.slug}/")
    tabs = guest.get_by_role("navigation", name="Project")
    expect(tabs.get_by_role("link", name="Event log")).to_be_visible()
    for hidden in ("Settings", "Members", "Labels", "Import"):
        expect(tabs.get_by_role("link", name=hidden)).to_have_count(0)
    assert violations(guest) == []
    assert fits(guest)
    guest.goto(f"{live_server.url}/projects/{project.slug}/documents/{document.pk}/")
    guest.get_by_label("red").check()
    guest.get_by_role("button", name="Save as gold").click()
    expect(guest.locator("main")).to_contain_text("Your answer is the gold one")
    assert violations(guest) == []
    gold = Annotation.objects.get(is_gold=True)
    assert (gold.annotator.username, gold.document) == ("rita", document)


def test_a_removal_asks_and_is_undone(
    open_as: Callable[[User, str], Page], project: Project, lead: User, annotator: User
) -> None:
    page = open_as(lead, f"/projects/{project.slug}/members/")
    page.get_by_role("link", name="Remove anton").click()
    expect(page.get_by_role("heading", level=2)).to_have_text("Remove anton from the project")
    assert violations(page) == []
    page.get_by_role("link", name="Leave it as it is").click()
    assert Membership.objects.filter(project=project, user=annotator).exists()
    page.get_by_role("link", name="Remove anton").click()
    page.get_by_role("button", name="Remove anton").click()
    expect(page.locator("main")).to_contain_text("anton is no member any more")
    assert violations(page) == []
    page.set_viewport_size({"width": 375, "height": 800})
    assert fits(page)
    assert not Membership.objects.filter(project=project, user=annotator).exists()
    page.get_by_role("button", name="Undo the removal of anton").click()
    expect(page.locator("main")).to_contain_text("anton is a member again")
    assert Membership.objects.get(project=project, user=annotator).role == Role.ANNOTATOR


def test_a_forgotten_password_is_set_by_a_link_and_lets_its_person_in(
    open_as: Callable[[User, str], Page], guest: Page, live_server: Any, project: Project, annotator: User
) -> None:
    administrator = User.objects.create_superuser("admin", password="x" * 20)
    guest.goto(f"{live_server.url}/login/")
    guest.get_by_role("link", name="I have forgotten my password").click()
    expect(guest.locator("main")).to_contain_text("Ask an administrator")
    assert violations(guest) == []
    page = open_as(administrator, "/people/?q=ant")
    assert violations(page) == []
    with page.expect_navigation():
        page.get_by_role("link", name="anton").click()
    assert violations(page) == []
    page.get_by_role("button", name="Make a link for a new password").click()
    guest.goto(page.locator(".notice code").inner_text())
    assert violations(guest) == []
    guest.get_by_label("New password", exact=True).fill("a long enough sentence")
    guest.get_by_label("New password confirmation").fill("a long enough sentence")
    guest.get_by_role("button", name="Set the password").click()
    expect(guest).to_have_url(f"{live_server.url}/login/")
    guest.get_by_label("Username").fill("anton")
    guest.get_by_label("Password").fill("a long enough sentence")
    guest.get_by_role("button", name="Log in").click()
    expect(guest).to_have_url(f"{live_server.url}/projects/")
    guest.goto(f"{live_server.url}/account/")
    expect(guest.locator("main")).to_contain_text("this browser")
    assert violations(guest) == []
    assert fits(guest)
    page.set_viewport_size({"width": 375, "height": 800})
    for path in ("/people/", f"/people/{annotator.pk}/", f"/people/{annotator.pk}/disable/"):
        page.goto(f"{live_server.url}{path}")
        assert violations(page) == []
        assert fits(page)
