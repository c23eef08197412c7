"""Each change of a lead or an administrator is in the event log, and a new writing address has to say how."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from annotate.admin import ReadOnlyAdmin
from annotate.models import (
    Annotation,
    AuthenticatorApp,
    BulkChange,
    Document,
    Event,
    HandedOnAnswer,
    Import,
    Project,
    RemovedMember,
    SavedView,
    TrainingRun,
    User,
    WorkList,
)
from annotate.models.bulk import PREVIEWED, BulkAction, BulkOptions
from annotate.models.events import EventKind
from annotate.models.jobs import JobKind
from annotate.models.versions import Sample, Stage
from annotate.services.imports import job
from annotate.services.people import api_keys, invitations
from annotate.services.people.api_keys import Scope
from annotate.services.projects import dictionary
from annotate.services.work import jobs
from tests.annotate.made.bundles import add_version
from tests.annotate.made.drift import make_alarm
from tests.annotate.made.scored import keep
from tests.annotate.made.webhook_receiver import make_webhook
from training.types import Answer

pytestmark = pytest.mark.one_database


@dataclass(frozen=True)
class Change:
    """What is posted to an address, and the event that comes of it, with `details` among its own."""

    kind: EventKind
    subject: str = ""
    sent: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


CHANGES = {
    "project-create": Change(
        EventKind.PROJECT_CREATED,
        "shapes",
        {"name": "Shapes", "slug": "shapes", "task": "single", "labels": "round\nsquare"},
        {"task": "single"},
    ),
    "project-from-file": Change(EventKind.PROJECT_CREATED, "mine", details={"task": "single"}),
    "project-settings": Change(
        EventKind.SETTINGS_CHANGED,
        sent={"batch_size": "7", "guidelines": "Look twice."},
        details={"changed": {"batch_size": {"old": 50, "new": 7}, "guidelines": {"version": 2}}},
    ),
    "project-delete": Change(EventKind.PROJECT_DELETED, "colours", {"name": "Colours"}, {"documents": 3}),
    "project-labels": Change(
        EventKind.LABEL_CHANGED,
        "red",
        {"name": "crimson"},
        {"changed": {"name": {"old": "red", "new": "crimson"}}},
    ),
    "project-labels-add": Change(EventKind.LABELS_ADDED, "pink", {"labels": "pink"}),
    "project-dictionary": Change(
        EventKind.DICTIONARY_CHANGED,
        sent={"entries": "Rome | red", "seen": dictionary.digest({})},
        details={"added": 1, "relabelled": 0, "removed": 0},
    ),
    "project-labels-order": Change(EventKind.LABELS_REORDERED, details={"order": ["blue", "red"]}),
    "project-label-merge": Change(EventKind.LABEL_MERGED, "red", details={"into": "blue", "annotations": 0}),
    "project-label": Change(
        EventKind.LABEL_SPLIT,
        "red",
        {"labels": "crimson\nblue"},
        {"into": "crimson, blue", "documents": 0},
    ),
    "project-label-archive": Change(EventKind.LABEL_ARCHIVED, "red", details={"annotations": 0}),
    "project-label-restore": Change(EventKind.LABEL_RESTORED, "green"),
    "project-members": Change(
        EventKind.MEMBER_ADDED, "stefan", {"username": "stefan", "role": "annotator"}, {"role": "annotator"}
    ),
    "project-member": Change(
        EventKind.ROLE_CHANGED, "anton", {"role": "lead"}, {"before": "annotator", "role": "lead"}
    ),
    "member-remove": Change(EventKind.MEMBER_REMOVED, "anton", details={"role": "annotator"}),
    "member-restore": Change(EventKind.MEMBER_RESTORED, "stefan", details={"role": "reviewer"}),
    "project-invite": Change(
        EventKind.INVITED, "Ada", {"guests": "Ada", "role": "annotator", "days": "7"}, {"role": "annotator"}
    ),
    "project-invitation-revoke": Change(EventKind.INVITATION_REVOKED, "Bo"),
    "saved-views": Change(EventKind.VIEW_SAVED, "Mine", {"name": "Mine", "is_shared": "on"}),
    "saved-view-rename": Change(
        EventKind.VIEW_RENAMED,
        "Ours",
        {"name": "Theirs"},
        {"changed": {"name": {"old": "Ours", "new": "Theirs"}}},
    ),
    "saved-view-delete": Change(EventKind.VIEW_DELETED, "Old"),
    "document-answer": Change(EventKind.GOLD_GIVEN, sent={"as": "gold"}),
    "bulk": Change(EventKind.BULK_CHANGED, "red", details={"documents": 2, "hits": 2}),
    "bulk-undo": Change(EventKind.BULK_UNDONE, "blue", details={"action": "label"}),
    "work-list-people": Change(EventKind.LIST_CHANGED, "odd ones", details={"people": ["lena"]}),
    "bulk-stop": Change(EventKind.CANCELLED, "return", details={"work": "bulk"}),
    "document-delete": Change(EventKind.DOCUMENT_DELETED),
    "document-comment": Change(EventKind.COMMENTED, sent={"text": "is this right?"}),
    "document-hand-to": Change(EventKind.HANDED_TO, "lena"),
    "annotation-withdraw": Change(EventKind.ANSWER_WITHDRAWN, "stefan"),
    "document-return": Change(EventKind.RETURNED, "anton"),
    "handed-on-settle": Change(EventKind.HANDED_ON_DISCARDED, "anton", {"action": "discard"}),
    "imports": Change(EventKind.UPLOADED, "mine.csv"),
    "import": Change(EventKind.IMPORTED, "yours.csv", {"text": "text", "label": ""}),
    "import-delete": Change(EventKind.IMPORT_DELETED, "done.csv", {"documents": "1"}, {"documents": 1}),
    "export-start": Change(EventKind.EXPORT_ASKED, "JSONL"),
    "import-cancel": Change(EventKind.CANCELLED, "theirs.csv", details={"work": "import"}),
    "version-publish": Change(EventKind.PUBLISHED, "1"),
    "version-roll-back": Change(EventKind.ROLLED_BACK, "1"),
    "version-revise": Change(
        EventKind.THRESHOLDS_CHANGED,
        "3",
        {"least": "0.5"},
        {"of": 2, "changed": {"": {"old": 0.0, "new": 0.5}}},
    ),
    "version-score": Change(EventKind.HOLDOUT_SCORED, "2"),
    "drift-settings": Change(
        EventKind.WATCH_CHANGED,
        sent={"window": "700", "outside": "2", "rest_hours": "24", "texts_kept_until": "2030-01-31"},
        details={
            "changed": {
                "window": {"old": 500, "new": 700},
                "texts_kept_until": {"old": None, "new": "2030-01-31"},
            }
        },
    ),
    "drift-snooze": Change(EventKind.ALARMS_SNOOZED),
    "drift-alarm-seen": Change(EventKind.ALARM_SEEN),
    "drift-alarm-usual": Change(EventKind.ALARM_USUAL),
    "webhooks": Change(EventKind.WEBHOOK_ADDED, "93.184.215.14", {"address": "https://93.184.215.14/hook"}),
    "webhook-try": Change(EventKind.WEBHOOK_TESTED, "hooks.example.org"),
    "webhook-on": Change(EventKind.WEBHOOK_ON, "hooks.example.org"),
    "webhook-remove": Change(EventKind.WEBHOOK_REMOVED, "hooks.example.org"),
    "reportcard-measure": Change(EventKind.MEASURED),
    "reportcard-combine": Change(EventKind.RUN_STARTED, "cascade", {"cheap": "1", "strong": "2"}),
    "run-start": Change(EventKind.RUN_STARTED, "tfidf", {"family": "tfidf"}),
    "run-cancel": Change(EventKind.CANCELLED, "fasttext", details={"work": "run"}),
    "job-cancel": Change(EventKind.CANCELLED, "vectors", details={"work": "job"}),
    "api-keys": Change(EventKind.KEY_MADE, "loader", {"name": "loader", "scopes": ["predict"], "days": "30"}),
    "api-key-revoke": Change(EventKind.KEY_REVOKED, "old one", details={"owner": "lena"}),
}
CHANGES_BY_ADMINISTRATORS = {
    "person-disable": Change(EventKind.ACCOUNT_DISABLED, "stefan"),
    "person-enable": Change(EventKind.ACCOUNT_ENABLED, "gone"),
    "person-password-link": Change(EventKind.PASSWORD_LINK_MADE, "stefan"),
    "person-factor-remove": Change(EventKind.SECOND_FACTOR_REMOVED, "stefan"),
}
CHANGES_BY_PROGRAMS = {
    "api-documents": Change(
        EventKind.STORED, sent={"documents": [{"text": "a new text"}]}, details={"created": 1, "updated": 0}
    ),
    "api-import-undo": Change(EventKind.IMPORT_UNDONE, "done.csv", details={"documents": 1}),
    "api-comments": Change(EventKind.COMMENTED, sent={"text": "is this right?"}),
    "api-labels": Change(EventKind.LABELS_ADDED, "pink", {"name": "pink"}),
    "api-labels-order": Change(EventKind.LABELS_REORDERED, details={"order": ["blue", "red"]}),
    "api-label-archive": Change(EventKind.LABEL_ARCHIVED, "red", details={"annotations": 0}),
    "api-label-restore": Change(EventKind.LABEL_RESTORED, "green"),
    "api-label-merge": Change(EventKind.LABEL_MERGED, "red", details={"into": "blue", "annotations": 0}),
    "api-label-split": Change(
        EventKind.LABEL_SPLIT,
        "red",
        {"labels": [{"name": "crimson"}, {"name": "blue"}]},
        {"into": "crimson, blue", "documents": 0},
    ),
    "api-members": Change(EventKind.MEMBER_ADDED, "stefan", {"username": "stefan"}, {"role": "annotator"}),
    "api-invitations": Change(EventKind.INVITED, "Ada", {"guests": ["Ada"]}, {"role": "annotator"}),
    "api-bulk-start": Change(EventKind.BULK_CHANGED, "red", details={"documents": 2, "hits": 2}),
    "api-bulk-undo": Change(EventKind.BULK_UNDONE, "blue", details={"action": "label"}),
    "api-exports": Change(EventKind.EXPORT_ASKED, "CSV", {"format": "csv"}),
    "api-drift-alarm-seen": Change(EventKind.ALARM_SEEN),
    "api-drift-alarm-usual": Change(EventKind.ALARM_USUAL),
    "api-publish": Change(EventKind.PUBLISHED, "1"),
    "api-publish-before": Change(EventKind.PUBLISHED, "1"),
    "api-roll-back": Change(EventKind.ROLLED_BACK, "1"),
    "api-roll-back-before": Change(EventKind.ROLLED_BACK, "1"),
}
LABELLING = "labelling: each decision is a row of its own, with who made it and when"
NONE_NEEDED = {
    "import-begin": "a change of the settings and an import, which the tests of its page look at",
    "label": LABELLING,
    "label-ahead": LABELLING,
    "label-pulse": LABELLING,
    "label-release": LABELLING,
    "label-hand-on": LABELLING,
    "api-annotations": LABELLING,
    "api-feedback": LABELLING,
    "api-predict": "nothing changes",
    "api-bulk-changes": "nothing changes until its preview is started",
    "bulk-new": "nothing changes until its preview is confirmed",
    "project-duplicate": "it leaves several events, and the tests of archives look at them",
    "project-restore": "an archive is of no project yet, and the tests of archives look at its event",
    "home": "sends on to the projects, whatever the method",
    "invitation": "its guest's entry is an event, and the tests of invitations look at it",
    "password-forgotten": "nothing changes until the link of the mail is used",
    "project-invitation-send": "the invitation is an event, and its mail changes nothing",
    "account-address": "nothing changes until the link of the mail is used",
    "address-link": "its person's new address is an event, and the tests of addresses look at it",
    "password-link": "its person's new password is an event, and the tests of links look at it",
    "account": "one's own name, address and time zone",
    "account-session-end": "one's own sessions",
    "account-sessions-end": "one's own sessions",
    "login": "entries are in the security log",
    "passkey": "entries are in the security log",
    "passkey-new": "one's own second factor; its tests look at the event",
    "passkey-remove": "one's own second factor; its tests look at the event",
    "outside-login-connection": "one's own login; its tests look at the event",
    "second-factor-first": "one's own second factor; its tests look at the event",
    "second-step": "entries are in the security log",
    "second-factor-app": "one's own second factor; its tests look at the event",
    "second-factor-app-remove": "one's own second factor; its tests look at the event",
    "second-factor-codes": "one's own second factor; its tests look at the event",
    "logout": "entries are in the security log",
    "account-password": "one's own password is in the security log, and the keys that end with it are events",
}


@pytest.fixture
def answers(
    project: Project, annotator: User, stranger: User, add_documents: Callable[..., list[Document]]
) -> dict[str, list[Any]]:
    """Make documents and what people said of them; return what stands in addresses after the project."""
    document, other = add_documents(project, "a text", "another text")
    answered = Annotation.objects.create(
        project=project, document=other, annotator=stranger, outcome="answered"
    )
    skipped = Annotation.objects.create(
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
    red, _green, blue = project.labels.all()
    previewed, done, running = (
        BulkChange.objects.create(
            project=project,
            by=project.memberships.get(role="lead").user,
            action=action,
            options=BulkOptions(labels=labels).dump(),
            packed=BulkChange.pack([document.pk, other.pk]),
            hits=2,
            counts={"changed": 2},
            state=state,
        )
        for action, labels, state in (
            (BulkAction.LABEL, (red.pk,), PREVIEWED),
            (BulkAction.LABEL, (blue.pk,), "succeeded"),
            (BulkAction.RETURN, (), "running"),
        )
    )
    return {
        "bulk": [previewed.pk],
        "bulk-undo": [done.pk],
        "api-bulk-start": [previewed.pk],
        "api-bulk-undo": [done.pk],
        "bulk-stop": [running.pk],
        "work-list-people": [WorkList.objects.create(project=project, name="odd ones").pk],
        "document-answer": [document.pk],
        "document-delete": [other.pk],
        "document-comment": [document.pk],
        "document-hand-to": [document.pk],
        "api-comments": [document.pk],
        "annotation-withdraw": [answered.pk],
        "document-return": [skipped.pk],
        "handed-on-settle": [handed_on.pk],
    }


@pytest.fixture
def watched(project: Project) -> dict[str, list[Any]]:
    """Make an alarm and a webhook; return what stands in the addresses about them after the project."""
    of_alarm = [f"{of}drift-alarm-{does}" for of in ("", "api-") for does in ("seen", "usual")]
    of_webhook = ["webhook-remove", "webhook-try", "webhook-on"]
    return {
        **dict.fromkeys(of_alarm, [make_alarm(project).pk]),
        **dict.fromkeys(of_webhook, [make_webhook(project).pk]),
    }


@pytest.fixture
def saved_views(project: Project, lead: User) -> dict[str, list[Any]]:
    """Save two views of the documents; return what stands in the addresses about them after the project."""
    ours, old = (
        SavedView.objects.create(project=project, owner=lead, name=name, is_shared=True)
        for name in ("Ours", "Old")
    )
    return {"saved-view-rename": [ours.pk], "saved-view-delete": [old.pk]}


@pytest.fixture
def world(
    project: Project,
    lead: User,
    annotator: User,
    stranger: User,
    answers: dict[str, list[Any]],
    watched: dict[str, list[Any]],
    saved_views: dict[str, list[Any]],
    tmp_path: Path,
    settings: Any,
) -> dict[str, list[Any]]:
    """Make something for each address to be about; return what stands in the addresses after the project."""
    settings.BUNDLE_ROOT, settings.MEDIA_ROOT = tmp_path, tmp_path / "uploads"
    uploads = [
        job.begin(project=project, user=lead, file=SimpleUploadedFile(name, b"text\none\n"), name=name)
        for name in ("yours.csv", "theirs.csv")
    ]
    done = Import.objects.create(project=project, name="done.csv", state="succeeded")
    Document.objects.create(project=project, text="imported", sha256="0" * 64, lane="pool", source=done)
    type(uploads[1]).objects.filter(pk=uploads[1].pk).update(state="queued")
    ((invitation, _token),) = invitations.issue(
        project=project, by=lead, role="annotator", guests=["Bo"], days=7
    )
    removed = RemovedMember.objects.create(project=project, user=stranger, role="reviewer")
    run = TrainingRun.objects.create(project=project, family="fasttext", reason="labels")
    (vectors,) = jobs.ask(kind=JobKind.VECTORS, project=project)
    for number, stage in ((1, Stage.RETIRED), (2, Stage.PUBLISHED)):
        keep(add_version(project, tmp_path, number=number, stage=stage), Sample.HOLDOUT, [], [])
    key, _secret = api_keys.issue(user=lead, name="old one", scopes=[Scope.PREDICT])
    red, green, _blue = project.labels.all()
    type(green).objects.filter(pk=green.pk).update(archived_at=timezone.now())
    return {
        **answers,
        **watched,
        **saved_views,
        "project-label": [red.pk],
        **{f"{of}-label-{does}": [red.pk] for of in ("project", "api") for does in ("archive", "merge")},
        "api-label-split": [red.pk],
        **{f"{of}-label-restore": [green.pk] for of in ("project", "api")},
        "project-member": [project.memberships.get(user=annotator).pk],
        "member-remove": [project.memberships.get(user=annotator).pk],
        "member-restore": [removed.pk],
        "project-invitation-revoke": [invitation.pk],
        "import": [uploads[0].pk],
        "import-cancel": [uploads[1].pk],
        "import-delete": [done.pk],
        "api-import-undo": [done.pk],
        "version-publish": [1],
        "version-roll-back": [1],
        "version-score": [2],
        "version-revise": [2],
        "run-cancel": [run.pk],
        "job-cancel": [vectors.pk],
        "api-key-revoke": [key.pk],
        "api-publish": [1],
        "api-publish-before": [1],
    }


def _address(name: str, project: Project, world: dict[str, list[Any]]) -> str:
    of_no_project = {"project-create", "project-from-file", "api-keys", "api-key-revoke"}
    return reverse(name, args=[*([] if name in of_no_project else [project.slug]), *world.get(name, [])])


def _sent(name: str, sent: dict[str, Any], client: Client, address: str, project: Project) -> dict[str, Any]:
    """Return what a browser would send: a form as it was shown, with what the test changes."""
    if name in ("imports", "project-from-file"):
        return {"file": SimpleUploadedFile("mine.csv", b"text\none\n")}
    if name in ("document-delete", "import-delete"):
        project.imports.update(state="succeeded")  # which it waits for
    if name == "document-comment":
        return sent | {"key": str(uuid.uuid4())}
    if name == "work-list-people":
        return {"people": project.memberships.get(role="lead").user_id}
    if name == "document-hand-to":
        return {"person": project.memberships.get(role="lead").user_id}
    if name == "document-answer":
        return sent | {"key": str(uuid.uuid4()), "labels": [project.labels.filter(archived_at=None)[0].pk]}
    if name == "project-labels-order":
        return {"up": project.labels.get(name="blue").pk}
    if name == "project-label":
        return sent | {"people": project.memberships.get(role="lead").user_id}
    if name == "project-label-merge":
        return {"into": project.labels.get(name="blue").pk}
    if name == "project-settings":
        page = client.get(address).context
        forms = (page["form"], page["asked"])
        shown = {name: form[name].value() for form in forms for name in form.fields}
        return {
            name: value for name, value in shown.items() if value is not None and value is not False
        } | sent
    if name == "project-labels":
        live = project.labels.filter(archived_at=None)
        rows = {f"{label.pk}-{word}": getattr(label, word) for label in live for word in ("name", "hotkey")}
        return rows | {f"{live[0].pk}-name": sent["name"]}
    return sent


def _check(change: Change, by: User) -> None:
    told = [event for event in Event.objects.order_by("pk") if event.kind not in EARLIER]
    # The one ends its work as well, the other archives a label and may add some.
    assert len(told) <= 1 or change.kind in (EventKind.PROJECT_DELETED, EventKind.LABEL_SPLIT)
    event = _latest(change)
    assert (event.kind, event.subject, event.by) == (change.kind, change.subject, by)
    assert change.details.items() <= event.details.items()


EARLIER = {
    EventKind.UPLOADED,
    EventKind.KEY_MADE,
    EventKind.INVITED,
}  # of what the fixture has made by services


def _latest(change: Change) -> Event:
    return Event.objects.filter(kind=change.kind).latest("pk")


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_of_a_lead_is_an_event(
    name: str, project: Project, lead: User, sign_in: Callable[[User], Client], world: dict[str, list[Any]]
) -> None:
    change, client, address = CHANGES[name], sign_in(lead), _address(name, project, world)
    response = client.post(address, _sent(name, change.sent, client, address, project))
    assert response.status_code == 302, response.context["form"].errors
    if name == "project-create":  # its labels are told, too
        assert Event.objects.filter(kind=EventKind.LABELS_ADDED).count() == 2
        event = Event.objects.get(kind=EventKind.PROJECT_CREATED)
        assert (event.subject, event.by, event.project_name) == ("shapes", lead, "Shapes")
    else:
        _check(change, lead)
    if name not in ("project-create", "project-from-file", "api-keys", "api-key-revoke"):
        assert _latest(change).project_id == project.pk


@pytest.mark.parametrize("name", CHANGES_BY_ADMINISTRATORS)
def test_each_change_of_an_administrator_is_an_event(
    name: str, admin_user: User, stranger: User, sign_in: Callable[[User], Client]
) -> None:
    change, gone = CHANGES_BY_ADMINISTRATORS[name], User.objects.create_user("gone", is_active=False)
    person = gone if change.subject == "gone" else stranger
    AuthenticatorApp.objects.create(user=stranger, sealed_secret="")
    assert sign_in(admin_user).post(reverse(name, args=[person.pk])).status_code == 302
    event = Event.objects.get()
    assert (event.kind, event.subject, event.by) == (change.kind, change.subject, admin_user)


@pytest.mark.parametrize("name", CHANGES_BY_PROGRAMS)
def test_each_change_of_a_program_is_an_event(
    name: str, project: Project, lead: User, world: dict[str, list[Any]]
) -> None:
    _key, secret = api_keys.issue(user=lead, name="test", scopes=Scope.values)
    client = Client(headers={"authorization": f"Bearer {secret}"})
    change = CHANGES_BY_PROGRAMS[name]
    if name == "api-import-undo":
        project.imports.update(state="succeeded")  # which it waits for
    blue = project.labels.get(name="blue").pk
    sent = change.sent | {"api-label-merge": {"into": blue}, "api-labels-order": {"labels": [blue]}}.get(
        name, {}
    )
    response = client.post(_address(name, project, world), sent, content_type="application/json")
    assert response.status_code in {200, 201, 202}, response.content.decode()
    _check(change, lead)


def _patterns(found: Any, namespace: str = "") -> list[tuple[str, URLPattern]]:
    rows: list[tuple[str, URLPattern]] = []
    for entry in found:
        if isinstance(entry, URLResolver):
            rows += _patterns(entry.url_patterns, entry.namespace or namespace)
        elif namespace != "admin":
            rows.append((entry.name or "", entry))
    return rows


def _takes_posts(pattern: URLPattern, name: str, project: Project, client: Client) -> bool:
    view = getattr(pattern.callback, "cls", None)
    if view is not None:  # an endpoint of the API, which asks for a key before it looks at the method
        return hasattr(view, "post")
    words = {"slug": project.slug, "format": "csv", "key": uuid.uuid4(), "token": "none"}
    kwargs = {word: words.get(word, 1) for word in pattern.pattern.converters}
    return client.post(reverse(name, kwargs=kwargs)).status_code != 405


def test_every_address_that_takes_posts_has_an_event_or_a_reason_for_none(
    project: Project, admin_user: User, sign_in: Callable[[User], Client]
) -> None:
    """A new writing page has to say which event it records."""
    told = {*CHANGES, *CHANGES_BY_ADMINISTRATORS, *CHANGES_BY_PROGRAMS, *NONE_NEEDED}
    writing = {
        name
        for name, pattern in _patterns(get_resolver().url_patterns)
        if name and _takes_posts(pattern, name, project, sign_in(admin_user))
    }
    assert sorted(writing) == sorted(told)


def test_administrators_change_accounts_and_keys_alone() -> None:
    """A model that they can change anew has to record it, with a test below."""
    writing = {
        model._meta.label
        for model, page in admin.site._registry.items()
        if not isinstance(page, ReadOnlyAdmin) or page.actions
    }
    tries_to_log_in = {"axes.AccessAttempt", "axes.AccessFailureLog", "axes.AccessLog"}
    of_no_account = {"auth.Group"}  # this site gives nobody rights by a group
    assert writing == {"annotate.User", "annotate.ApiKey"} | tries_to_log_in | of_no_account


def test_what_administrators_do_to_accounts_is_an_event(
    annotator: User, stranger: User, admin_user: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(admin_user)
    password = "correct horse battery staple"
    new = {"username": "nina", "usable_password": "true", "password1": password, "password2": password}
    client.post(reverse("admin:annotate_user_add"), new)
    nina = User.objects.get(username="nina")
    sent = {"username": "nina", "first_name": "Nina", "date_joined_0": "2026-01-01", "date_joined_1": "10:00"}
    client.post(reverse("admin:annotate_user_change", args=[nina.pk]), sent)
    api_keys.issue(user=annotator, name="his", scopes=[Scope.PREDICT])
    where = reverse("admin:annotate_user_changelist")
    client.post(where, {"action": "end_keys", "_selected_action": [annotator.pk]})
    client.post(reverse("admin:annotate_user_delete", args=[nina.pk]), {"post": "yes"})
    client.post(where, {"action": "delete_selected", "_selected_action": [stranger.pk], "post": "yes"})
    told = list(Event.objects.order_by("pk").values_list("kind", "subject", "by_name"))
    assert told == [
        ("account-made", "nina", "admin"),
        ("account-changed", "nina", "admin"),
        ("key-made", "his", "anton"),
        ("key-revoked", "his", "admin"),
        ("account-deleted", "nina", "admin"),
        ("account-deleted", "stefan", "admin"),
    ]
    made, changed = Event.objects.filter(kind__startswith="account").order_by("pk")[:2]
    assert password not in str(made.details)
    assert "first_name" in changed.details["fields"]


def test_keys_that_end_with_a_password_are_events(lead: User) -> None:
    api_keys.issue(user=lead, name="loader", scopes=[Scope.PREDICT])
    lead.set_password("another horse battery")
    lead.save()
    event = Event.objects.latest("pk")
    assert (event.kind, event.subject, event.by) == (EventKind.KEY_ENDED, "loader", None)


def test_what_changes_nothing_is_no_event(
    project: Project, lead: User, sign_in: Callable[[User], Client], world: dict[str, list[Any]]
) -> None:
    client, before = sign_in(lead), Event.objects.count()
    addresses = {name: _address(name, project, world) for name in CHANGES if name != "project-create"}
    client.post(addresses["project-member"], {"role": "annotator"})
    unchanged: dict[str, dict[str, Any]] = {"project-settings": {}, "project-labels": {"name": "red"}}
    for name, sent in unchanged.items():
        client.post(addresses[name], _sent(name, sent, client, addresses[name], project))
    client.post(addresses["import"], {"text": "text", "label": "", "dry_run": "1"})
    client.post(reverse("version-publish", args=[project.slug, 2]))
    assert list(Event.objects.order_by("pk").values_list("kind", flat=True))[before:] == []
    once = ["project-label-archive", "handed-on-settle", "run-cancel", "api-key-revoke", "document-return"]
    for name in [*once, *once]:
        client.post(addresses[name], CHANGES[name].sent)
    assert Event.objects.count() == before + len(once)


def test_no_event_is_kept_of_a_change_that_is_refused(
    project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    red, green, blue = project.labels.all()
    names = {red: green.name, green: green.name, blue: "azure"}
    sent = {f"{label.pk}-name": name for label, name in names.items()}
    refused = sign_in(lead).post(reverse("project-labels", args=[project.slug]), sent)
    assert refused.status_code == 422
    assert not Event.objects.exists()
