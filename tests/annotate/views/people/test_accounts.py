"""The people of the site: found, disabled with all that they have open, enabled, given a new password."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Assignment, Document, Event, OpenSession, PasswordLink, Project, User
from annotate.models.queue import AssignmentState
from annotate.outages.log import FaultHandler
from annotate.services.people import accounts, api_keys, password_links
from annotate.services.projects.refused import Refused

pytestmark = pytest.mark.one_database

SignIn = Callable[[User], Client]
NEW = {"new_password1": "a long enough sentence", "new_password2": "a long enough sentence"}


@pytest.fixture
def administrator(admin_user: User, sign_in: SignIn) -> Client:
    return sign_in(admin_user)


@pytest.fixture
def link(annotator: User, admin_user: User) -> str:
    return reverse("password-link", args=[password_links.issue(user=annotator, by=admin_user)])


def test_the_list_names_each_person_with_their_projects_and_roles(
    project: Project, reviewer: User, administrator: Client
) -> None:
    page = administrator.get(reverse("people")).content.decode()
    assert re.search(r"rita</a>.*?Colours</a> \(Reviewer\)", page, re.DOTALL)
    assert "import" not in page.split("<main")[1].replace("important", "")


def test_a_thousand_people_are_paged_both_ways_without_a_gap(
    administrator: Client, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    User.objects.bulk_create(User(username=f"person-{i:04d}") for i in range(1000))
    where, found, forward = reverse("people"), [], []
    query: str | None = ""
    while query is not None:
        with django_assert_max_num_queries(6):  # type: ignore[attr-defined]
            page = administrator.get(f"{where}?{query}").context["page"]
        forward.append([person.username for person in page.people])
        query = f"after={page.after}" if page.after else None
    assert sorted(name for names in forward for name in names) == [
        *sorted(User.objects.values_list("username", flat=True))
    ]
    query = f"before={page.before}"
    while query is not None:
        page = administrator.get(f"{where}?{query}").context["page"]
        found.append([person.username for person in page.people])
        query = f"before={page.before}" if page.before else None
    assert found[0] == forward[-2]
    assert sum(map(len, found)) + len(forward[-1]) == 1001


def test_people_are_found_by_a_part_of_a_name_in_any_script(administrator: Client) -> None:
    User.objects.create_user("boris", first_name="Борис", email="b@label.example")
    for words in ("БОРИС", "ori", "LABEL.example"):
        page = administrator.get(reverse("people"), {"q": words}).context["page"]
        assert [person.username for person in page.people] == ["boris"]


def test_disabling_ends_sessions_keys_links_and_leases_at_once(
    project: Project,
    annotator: User,
    lead: User,
    administrator: Client,
    sign_in: SignIn,
    link: str,
    add_documents: Callable[..., list[Document]],
) -> None:
    (document,) = add_documents(project, "a text")
    place = Assignment.objects.create(
        project=project, document=document, rank=1, state=AssignmentState.LEASED, annotator=annotator
    )
    browser, other = sign_in(annotator), sign_in(lead)
    _key, secret = api_keys.issue(user=annotator, name="robot", scopes=["predict"])
    where = reverse("person-disable", args=[annotator.pk])
    assert "go back to the queue" in administrator.get(where).content.decode()
    annotator.refresh_from_db()
    assert annotator.is_active
    administrator.post(where)
    annotator.refresh_from_db()
    assert not annotator.is_active
    assert not Session.objects.filter(pk=browser.cookies["sessionid"].value).exists()
    assert api_keys.find(secret) is None
    assert browser.get(reverse("projects")).status_code == 302
    assert Client().get(link).status_code == 404
    place.refresh_from_db()
    assert (place.state, place.annotator) == (AssignmentState.WAITING, None)
    assert project.memberships.filter(user=annotator).exists()
    assert other.get(reverse("projects")).status_code == 200
    # Enabled again, nothing of before comes back to life but the password.
    administrator.post(reverse("person-enable", args=[annotator.pk]))
    assert browser.get(reverse("projects")).status_code == 302
    assert api_keys.find(secret) is None
    assert sign_in(annotator).get(reverse("projects")).status_code == 200
    kinds = list(Event.objects.order_by("pk").values_list("kind", flat=True))
    assert [kind for kind in kinds if kind.startswith("account")] == ["account-disabled", "account-enabled"]


def test_a_session_that_was_never_noted_ends_as_well(
    annotator: User, admin_user: User, sign_in: SignIn
) -> None:
    browser = sign_in(annotator)
    OpenSession.objects.all().delete()
    accounts.disable(user=annotator, by=admin_user)
    assert not Session.objects.filter(pk=browser.cookies["sessionid"].value).exists()


def test_the_page_of_the_admin_shuts_out_whom_it_disables(
    annotator: User, administrator: Client, sign_in: SignIn
) -> None:
    browser = sign_in(annotator)
    sent = {"username": "anton", "date_joined_0": "2026-01-01", "date_joined_1": "10:00"}
    administrator.post(reverse("admin:annotate_user_change", args=[annotator.pk]), sent)
    assert not Session.objects.filter(pk=browser.cookies["sessionid"].value).exists()


def test_nobody_disables_themselves(admin_user: User, administrator: Client) -> None:
    page = administrator.post(reverse("person-disable", args=[admin_user.pk]), follow=True)
    assert "You cannot disable your own account" in page.content.decode()
    admin_user.refresh_from_db()
    assert admin_user.is_active


def test_disabling_the_only_lead_of_a_project_is_told_before(
    project: Project, lead: User, annotator: User, administrator: Client
) -> None:
    told = "will have no lead: Colours"
    assert told in administrator.get(reverse("person-disable", args=[lead.pk])).content.decode()
    assert told not in administrator.get(reverse("person-disable", args=[annotator.pk])).content.decode()
    project.memberships.filter(user=annotator).update(role="lead")
    assert told not in administrator.get(reverse("person-disable", args=[lead.pk])).content.decode()
    User.objects.filter(pk=annotator.pk).update(is_active=False)
    assert told in administrator.get(reverse("person-disable", args=[lead.pk])).content.decode()


def test_a_link_is_shown_once_and_sets_a_password_once(annotator: User, administrator: Client) -> None:
    where = reverse("person", args=[annotator.pk])
    made = administrator.post(
        reverse("person-password-link", args=[annotator.pk]), follow=True
    ).content.decode()
    (link,) = re.findall(r"http://testserver(/password-link/[^<]+/)</code>", made)
    assert link not in administrator.get(where).content.decode()
    assert PasswordLink.objects.get().digest not in link
    guest = Client()
    assert "New password of anton" in guest.get(link).content.decode()
    assert guest.post(link, NEW, follow=True).redirect_chain[-1][0] == reverse("login")
    entered = guest.post(reverse("login"), {"username": "anton", "password": NEW["new_password1"]})
    assert entered.status_code == 302
    assert Client().get(link).status_code == 404
    event = Event.objects.latest("pk")
    assert (event.kind, event.by) == ("password-set", annotator)


def test_a_weak_password_is_refused_and_the_link_goes_on_working(link: str, client: Client) -> None:
    assert client.post(link, {"new_password1": "short", "new_password2": "short"}).status_code == 422
    assert client.get(link).status_code == 200


def test_a_link_works_for_a_day_and_only_the_newest(annotator: User, admin_user: User, link: str) -> None:
    newer = reverse("password-link", args=[password_links.issue(user=annotator, by=admin_user)])
    assert (Client().get(link).status_code, Client().get(newer).status_code) == (404, 200)
    PasswordLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Client().get(newer).status_code == 404


def test_a_link_that_somebody_used_in_the_same_moment_sets_nothing(annotator: User, link: str) -> None:
    found = password_links.find(link.split("/")[2])
    assert found is not None
    PasswordLink.objects.update(used_at=timezone.now())
    before = annotator.password
    with pytest.raises(Refused):
        password_links.use(found, "another long sentence")
    annotator.refresh_from_db()
    assert annotator.password == before


def test_a_link_forgives_the_wrong_passwords_before_it(link: str, client: Client) -> None:
    for _ in range(10):
        client.post(reverse("login"), {"username": "anton", "password": "wrong"})
    client.post(link, NEW)
    entered = client.post(reverse("login"), {"username": "anton", "password": NEW["new_password1"]})
    assert entered.status_code == 302


def test_a_new_password_by_a_link_ends_sessions_and_keys(annotator: User, link: str, sign_in: SignIn) -> None:
    browser = sign_in(annotator)
    _key, secret = api_keys.issue(user=annotator, name="robot", scopes=["predict"])
    assert browser.post(link, NEW).status_code == 302
    assert browser.get(reverse("projects")).status_code == 302
    assert api_keys.find(secret) is None


def test_no_link_is_made_for_a_disabled_account(annotator: User, administrator: Client) -> None:
    User.objects.filter(pk=annotator.pk).update(is_active=False)
    page = administrator.post(reverse("person-password-link", args=[annotator.pk]), follow=True)
    assert "Enable it first" in page.content.decode()
    assert not PasswordLink.objects.exists()


def test_the_log_masks_the_token_of_a_link() -> None:
    handler = FaultHandler()
    handler.stream = io.StringIO()
    record = logging.LogRecord(
        "django", logging.WARNING, "", 1, "Not Found: /password-link/secret-1/", (), None
    )
    handler.emit(record)
    assert "secret-1" not in handler.stream.getvalue()


def test_who_has_forgotten_a_password_is_told_whom_to_ask(client: Client, db: None) -> None:
    assert reverse("password-forgotten") in client.get(reverse("login")).content.decode()
    assert "administrator" in client.get(reverse("password-forgotten")).content.decode()
