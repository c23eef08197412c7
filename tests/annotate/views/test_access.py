"""Who reaches which page: walked over every address of the lead's site."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import URLPattern, resolve, reverse
from django.utils import timezone

from annotate.models import (
    Annotation,
    BulkChange,
    Document,
    HandedOnAnswer,
    Import,
    Invitation,
    ModelVersion,
    Project,
    RemovedMember,
    SavedView,
    TrainingRun,
    User,
    WorkList,
)
from annotate.models.jobs import JobKind
from annotate.services.people import invitations
from annotate.services.work import jobs
from annotate.urls import urlpatterns
from tests.annotate.made.drift import make_alarm
from tests.annotate.made.webhook_receiver import make_webhook
from training.types import Answer

pytestmark = pytest.mark.one_database

Cast = tuple[Client, Client, Client, Client]
PAGES = [
    "project-settings",
    "project-delete",
    "project-duplicate",
    "document-delete",
    "import-delete",
    "project-labels",
    "project-dictionary",
    "project-label",
    "project-label-merge",
    "project-label-restore",
    "project-members",
    "project-live",
    "project-events",
    "project-events-csv",
    "documents",
    "document",
    "saved-views",
    "bulk-new",
    "bulk",
    "similar",
    "document-similar",
    "handed-on",
    "export-page",
    "export-file",
    "versions",
    "version",
    "version-compare",
    "version-compare-csv",
    "version-thresholds",
    "version-thresholds-csv",
    "version-confidence",
    "version-confidence-csv",
    "shares",
    "shares-csv",
    "saved-labels",
    "saved-labels-csv",
    "version-card",
    "version-card-file",
    "drift",
    "drift-csv",
    "webhooks",
    "webhook-remove",
    "runs",
    "run-cancel",
    "job-cancel",
    "import-cancel",
    "handed-on-settle",
    "project-invitation-revoke",
    "member-remove",
]
# Of these, what a reviewer opens as well: all that tells of documents, answers and models.
REVIEWED = {
    "project-live",
    "project-events",
    "project-events-csv",
    "documents",
    "document",
    "similar",
    "document-similar",
    "saved-views",
    "handed-on",
    "handed-on-settle",
    "export-page",
    "export-file",
    "versions",
    "version",
    "version-compare",
    "version-compare-csv",
    "version-thresholds",
    "version-thresholds-csv",
    "version-confidence",
    "version-confidence-csv",
    "shares",
    "shares-csv",
    "saved-labels",
    "saved-labels-csv",
    "version-card",
    "version-card-file",
    "drift",
    "drift-csv",
    "runs",
}
ACTIONS = [
    "project-labels-add",
    "project-labels-order",
    "project-label-archive",
    "project-member",
    "member-restore",
    "project-invite",
    "project-invitation-send",
    "document-return",
    "document-answer",
    "annotation-withdraw",
    "document-comment",
    "document-hand-to",
    "saved-view-rename",
    "saved-view-delete",
    "bulk-undo",
    "bulk-stop",
    "work-list-people",
    "version-publish",
    "version-roll-back",
    "version-score",
    "version-revise",
    "run-start",
    "export-start",
    "drift-settings",
    "drift-snooze",
    "drift-alarm-seen",
    "drift-alarm-usual",
    "webhook-try",
    "webhook-on",
]
# Of these, what a reviewer does as well: they correct and settle answers.
DONE_BY_REVIEWERS = {
    "document-return",
    "document-answer",
    "annotation-withdraw",
    "document-comment",
    "document-hand-to",
}
# Forms that say what is missing where nothing is filled in; the other actions are buttons.
REFUSED_WHEN_EMPTY = {
    "drift-settings",
    "project-invite",
    "project-labels-add",
    "document-answer",
    "document-comment",
    "saved-view-rename",
}
# What leads and annotators open alike, by GET or by POST alone, and what a member gets there. Each shows
# nobody more than is theirs, which the tests of its page look at.
OF_MEMBERS = {
    "project": ("get", {200, 302}),
    "label": ("get", {200}),
    "label-ahead": ("post", {200}),
    "label-pulse": ("post", {200}),
    "label-release": ("post", {204}),
    "label-examples": ("get", {200}),
    "label-dictionary": ("get", {200}),
    "label-history": ("get", {200}),
    "my-work": ("get", {200}),
    "guidelines": ("get", {200}),
    "work-list": ("get", {200}),
}
# Whose card it is decides, not the project: see `card_given_to` and the tests of the labelling page.
OF_A_CARD = {"label-why", "label-hand-on"}
# Whose key it is decides.
OF_A_KEY = {"api-key-revoke", "passkey-remove"}
# Whose link it is decides.
OF_A_LINK = {"invitation", "password-link", "address-link"}
# Whose session it is decides.
OF_A_SESSION = {"account-session-end"}
# What administrators of the site open by GET, or do by POST alone; everybody else learns nothing.
OF_ADMINISTRATORS = {
    "events": "get",
    "events-csv": "get",
    "people": "get",
    "person": "get",
    "person-disable": "get",
    "person-enable": "post",
    "person-password-link": "post",
    "person-factor-remove": "get",
}
# Pages of a lead that need more than a project to be open; their own tests ask each role.
ELSEWHERE = {
    "import-begin",
    "imports",
    "import",
    "export",
    "export-written",
    "restoration",
    "reportcard",
    "reportcard-before",
    "reportcard-measure",
    "reportcard-combine",
}
# Addresses of the site that are nobody's project, and what somebody who is not logged in gets there.
OF_THE_SITE = {
    "account": 302,
    "account-address": 302,
    "account-password": 302,
    "account-sessions-end": 302,
    "second-factor": 302,
    "second-factor-app": 302,
    "second-factor-app-remove": 302,
    "second-factor-codes": 302,
    "second-factor-picture": 404,
    "second-step": 302,
    "second-factor-first": 302,
    "passkey-new": 302,
    "passkey": 200,
    "outside-login": 404,
    "outside-login-back": 403,
    "outside-login-connection": 302,
    "password-forgotten": 200,
    "account-waiting": 302,
    "account-kept": 200,
    "api-keys": 302,
    "glossary": 302,
    "home": 302,
    "projects": 302,
    "project-create": 302,
    "project-from-file": 302,
    "project-restore": 302,
    "login": 200,
    "logout": 302,
}


OF_A_VERSION = (
    "card",
    "card-file",
    "publish",
    "roll-back",
    "score",
    "revise",
    "thresholds",
    "thresholds-csv",
    "confidence",
    "confidence-csv",
)


@pytest.fixture
def address(
    project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> Callable[[str], str]:
    """Return the address of a page about things that exist."""
    (document,) = add_documents(project, "a text")
    label = project.labels.first()
    assert label is not None
    extra = {
        **_of_document(document, annotator),
        **_of_people(project, annotator),
        **_of_many(project, document),
        **_of_work(project, document),
        **dict.fromkeys(("drift-alarm-seen", "drift-alarm-usual"), make_alarm(project).pk),
        **dict.fromkeys(("webhook-remove", "webhook-try", "webhook-on"), make_webhook(project).pk),
        **dict.fromkeys(("project-label", "label-examples"), label.pk),
        **{f"project-label-{name}": label.pk for name in ("archive", "merge", "restore")},
    }
    return lambda name: reverse(name, args=[project.slug, *([extra[name]] if name in extra else [])])


def _of_document(document: Document, annotator: User) -> dict[str, int]:
    project = document.project
    annotation = Annotation.objects.create(
        project=project, document=document, annotator=annotator, outcome="skipped"
    )
    handed_on = HandedOnAnswer.objects.create(
        project=project,
        document=document,
        annotator=annotator,
        card=uuid.uuid4(),
        outcome="skipped",
        answer=Answer(),
    )
    about = ("similar", "delete", "answer", "comment", "hand-to")
    return {
        "document": document.pk,
        **{f"document-{name}": document.pk for name in about},
        "document-return": annotation.pk,
        "annotation-withdraw": annotation.pk,
        "handed-on-settle": handed_on.pk,
    }


def _of_people(project: Project, annotator: User) -> dict[str, int]:
    lead = project.memberships.get(role="lead").user
    ((invitation, _token),) = invitations.issue(
        project=project, by=lead, role="annotator", guests=["Ada"], days=7
    )
    mailed = Invitation.objects.create(
        project=project,
        address="bo@example.org",
        invited_by=lead,
        digest="0" * 64,
        expires_at=timezone.now() + timedelta(days=1),
    )
    member = project.memberships.get(user=annotator)
    removed = RemovedMember.objects.create(project=project, user=annotator, role="annotator")
    return {
        "project-invitation-revoke": invitation.pk,
        "project-invitation-send": mailed.pk,
        "project-member": member.pk,
        "member-remove": member.pk,
        "member-restore": removed.pk,
    }


def _of_many(project: Project, document: Document) -> dict[str, int]:
    """Make what stands for many documents: a change, a list, a view."""
    bulk = BulkChange.objects.create(
        project=project, action="return", packed=BulkChange.pack([document.pk]), hits=1
    )
    work_list = WorkList.objects.create(project=project, name="the odd ones")
    work_list.people.set(User.objects.filter(memberships__project=project))
    view = SavedView.objects.create(
        project=project,
        owner=project.memberships.get(role="lead").user,
        name="flags",
        query="outcome=flagged",
        is_shared=True,
    )
    return {
        "bulk": bulk.pk,
        "bulk-undo": bulk.pk,
        "bulk-stop": bulk.pk,
        "work-list": work_list.pk,
        "work-list-people": work_list.pk,
        "saved-view-rename": view.pk,
        "saved-view-delete": view.pk,
    }


def _of_work(project: Project, document: Document) -> dict[str, int]:
    run = TrainingRun.objects.create(project=project, family="tfidf", reason="lead")
    (job,) = jobs.ask(kind=JobKind.VECTORS, project=project)
    done = Import.objects.create(project=project, name="done.csv", state="succeeded")
    Document.objects.filter(pk=document.pk).update(source=done)
    upload = Import.objects.create(project=project, name="mine.csv", state="queued")
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=2, holdout_documents=0
    )
    return {
        "run-cancel": run.pk,
        "job-cancel": job.pk,
        "import-cancel": upload.pk,
        "import-delete": done.pk,
        "version": version.number,
        **{f"version-{name}": version.number for name in OF_A_VERSION},
    }


@pytest.fixture
def cast(
    sign_in: Callable[[User], Client], lead: User, reviewer: User, annotator: User, stranger: User
) -> Cast:
    """The browsers of a lead, a reviewer, an annotator and a stranger."""
    return sign_in(lead), sign_in(reviewer), sign_in(annotator), sign_in(stranger)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_for_a_lead_and_where_it_only_tells_for_a_reviewer(
    name: str, address: Callable[[str], str], cast: Cast
) -> None:
    reviewers = 200 if name in REVIEWED else 404
    assert [browser.get(address(name)).status_code for browser in cast] == [200, reviewers, 404, 404]


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_is_hidden_from_all_but_leads_and_where_it_corrects_reviewers(
    name: str, address: Callable[[str], str], cast: Cast
) -> None:
    lead, reviewer, annotator, stranger = cast
    assert annotator.post(address(name)).status_code == 404
    assert stranger.post(address(name)).status_code == 404
    assert lead.get(address(name)).status_code == 405
    # A form that came empty is shown again with what is missing.
    done = 422 if name in REFUSED_WHEN_EMPTY else 302
    assert reviewer.post(address(name)).status_code == (done if name in DONE_BY_REVIEWERS else 404)
    assert lead.post(address(name)).status_code == done


@pytest.mark.parametrize("name", [name for name in PAGES if name not in REVIEWED])
def test_a_page_of_leads_alone_takes_nothing_from_anybody_else(
    name: str, address: Callable[[str], str], cast: Cast
) -> None:
    _lead, *others = cast
    assert {browser.post(address(name)).status_code for browser in others} == {404}


@pytest.mark.parametrize("name", ["export", "reportcard"])
def test_a_reviewer_reads_what_a_lead_reads_elsewhere(name: str, project: Project, cast: Cast) -> None:
    where = reverse(name, args=[project.slug, *(["jsonl"] if name == "export" else [])])
    assert [browser.get(where).status_code for browser in cast] == [200, 200, 404, 404]


@pytest.mark.parametrize("name", ["imports", "reportcard-measure", "reportcard-combine"])
def test_a_reviewer_neither_imports_nor_starts_work(name: str, project: Project, cast: Cast) -> None:
    _lead, reviewer, *_others = cast
    assert reviewer.post(reverse(name, args=[project.slug])).status_code == 404


@pytest.mark.parametrize("name", [*sorted(REVIEWED), "project", "reportcard"])
def test_no_page_of_a_reviewer_leads_to_what_is_hidden_from_them(
    name: str, address: Callable[[str], str], cast: Cast
) -> None:
    _lead, reviewer, *_others = cast
    page = reviewer.get(address(name))
    if page["Content-Type"].startswith("text/html"):
        links = set(re.findall(r'(?:href|action)="(/projects/colours/[^"#?]*)', page.content.decode()))
        hidden = {link for link in links if _is_hidden_from_reviewers(resolve(link).url_name or "")}
        assert hidden == set()


def _is_hidden_from_reviewers(name: str) -> bool:
    of_leads = {*PAGES, *ACTIONS, *ELSEWHERE} - REVIEWED - DONE_BY_REVIEWERS
    return name in of_leads - {"export", "reportcard"}


@pytest.mark.parametrize("name", [*PAGES, *ACTIONS, "project"])
def test_who_is_not_logged_in_is_asked_to(name: str, address: Callable[[str], str], client: Client) -> None:
    for response in (client.get(address(name)), client.post(address(name))):
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("login"))


@pytest.mark.parametrize("name", OF_MEMBERS)
def test_a_member_opens_it_and_nobody_else(name: str, address: Callable[[str], str], cast: Cast) -> None:
    method, expected = OF_MEMBERS[name]
    *members, stranger = cast
    for browser in members:
        assert getattr(browser, method)(address(name)).status_code in expected
    assert getattr(stranger, method)(address(name)).status_code == 404
    assert getattr(Client(), method)(address(name)).status_code == 302


@pytest.mark.parametrize("name", PAGES)
def test_an_administrator_opens_what_a_lead_opens(
    name: str, address: Callable[[str], str], sign_in: Callable[[User], Client], admin_user: User
) -> None:
    assert sign_in(admin_user).get(address(name)).status_code == 200


@pytest.mark.parametrize("name", [*PAGES, *ACTIONS, *OF_MEMBERS])
def test_a_disabled_person_is_asked_to_log_in_also_with_a_session_from_before(
    name: str, address: Callable[[str], str], sign_in: Callable[[User], Client], lead: User
) -> None:
    browser = sign_in(lead)
    User.objects.filter(pk=lead.pk).update(is_active=False)
    for response in (browser.get(address(name)), browser.post(address(name))):
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("login"))


@pytest.mark.parametrize("name", OF_THE_SITE)
def test_an_address_of_the_site_shows_who_is_not_logged_in_nothing(
    name: str, client: Client, db: None
) -> None:
    assert client.get(reverse(name)).status_code == OF_THE_SITE[name]


@pytest.mark.parametrize("name", OF_ADMINISTRATORS)
def test_an_address_of_administrators_is_hidden_from_everybody_else(
    name: str, cast: Cast, stranger: User, admin_user: User, sign_in: Callable[[User], Client]
) -> None:
    method = OF_ADMINISTRATORS[name]
    where = reverse(name, args=[stranger.pk] if name.startswith("person") else [])
    assert {getattr(browser, method)(where).status_code for browser in cast} == {404}
    assert {browser.post(where).status_code for browser in cast} <= {404, 405}
    assert getattr(Client(), method)(where).status_code == 302
    assert getattr(sign_in(admin_user), method)(where).status_code in {200, 302}


def test_every_address_is_in_one_of_the_tables() -> None:
    """A new page has to say who may open it."""
    names = {pattern.name for pattern in urlpatterns if isinstance(pattern, URLPattern) and pattern.name}
    tables = [
        set(PAGES),
        set(ACTIONS),
        set(OF_MEMBERS),
        OF_A_CARD,
        OF_A_KEY,
        OF_A_LINK,
        OF_A_SESSION,
        set(OF_ADMINISTRATORS),
        ELSEWHERE,
        set(OF_THE_SITE),
    ]
    assert names == set().union(*tables)
    assert sum(map(len, tables)) == len(names)


def test_the_projects_address_sends_an_annotator_to_the_labelling_page(
    address: Callable[[str], str], cast: Cast
) -> None:
    lead, reviewer, annotator, stranger = cast
    assert lead.get(address("project")).status_code == 200
    assert reviewer.get(address("project")).status_code == 200
    assert annotator.get(address("project"))["Location"] == address("label")
    assert stranger.get(address("project")).status_code == 404


def test_a_label_of_another_project_cannot_be_archived(
    project: Project, make_project: Callable[..., Project], sign_in: Callable[[User], Client], lead: User
) -> None:
    other = make_project(slug="shapes", labels=("round",))
    where = reverse("project-label-archive", args=[project.slug, other.labels.get().pk])
    assert sign_in(lead).post(where).status_code == 404
