"""The event log as people read it: each event a plain sentence, fifty a page, or all of them as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import get_language, gettext_lazy, ngettext, override
from django.utils.translation import gettext as _

from annotate.models import Corridor, Event, Project, User
from annotate.models.bulk import BulkAction
from annotate.models.events import EventKind
from annotate.models.jobs import JobKind
from annotate.models.members import Role
from annotate.models.runs import family_title
from annotate.services.documents.spreadsheet import marked
from training.storable import printable

PAGE = 50
CHUNK = 1000
COLUMNS = ("id", "at", "kind", "who", "project", "document", "subject", "event", "details")
LABEL_FIELDS = {
    "name": gettext_lazy("name"),
    "hotkey": gettext_lazy("key"),
    "description": gettext_lazy("description"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Events, the newest first; `newer` and `older` are the keys that the pages beside this one begin at."""

    events: list[Event]
    newer: int | None = None
    older: int | None = None


def page(events: QuerySet[Event], *, before: int | None = None, after: int | None = None) -> Page:
    """Return the events next to a key, without counting those in between; the newest where none is named."""
    events = events.order_by("-pk")
    if after is not None:
        found = list(events.filter(pk__gt=after).reverse()[: PAGE + 1])
        # A page that would not be full is the first one, so that it is the same from wherever one comes.
        if len(found) > PAGE:
            rows = found[PAGE - 1 :: -1]
            return Page(rows, newer=rows[0].pk, older=rows[-1].pk)
        before = None
    rows = list((events.filter(pk__lt=before) if before is not None else events)[: PAGE + 1])
    has_newer = before is not None and events.filter(pk__gte=before).exists()
    older = rows[PAGE - 1].pk if len(rows) > PAGE else None
    rows = rows[:PAGE]
    first = rows[0].pk if rows else (before or 1) - 1
    return Page(rows, newer=first if has_newer else None, older=older)


def people(events: QuerySet[Event]) -> QuerySet[User]:
    """Return who did something of it, by name."""
    return User.objects.filter(Exists(events.filter(by=OuterRef("pk")))).order_by("username")


def sentence(event: Event) -> str:
    """Tell an event; one of a kind without a sentence of its own by its title and its subject."""
    known = SENTENCES.get(event.kind)
    words = {
        "who": event.by_name or _("The site"),
        "subject": event.subject,
        "project": event.project_name,
        "document": event.document_id,
        "title": event.get_kind_display(),
    }
    told = _untold(event) if known is None else known(event) if callable(known) else str(known)
    return told % (words | _more(event))


def _untold(event: Event) -> str:
    if event.subject and event.document_id:
        return _("%(who)s: %(title)s, “%(subject)s”, document %(document)s")
    if event.subject:
        return _("%(who)s: %(title)s, “%(subject)s”")
    return _("%(who)s: %(title)s, document %(document)s") if event.document_id else _("%(who)s: %(title)s")


def _more(event: Event) -> dict[str, Any]:
    """Return what the details add to the words of a sentence."""
    details: Mapping[str, Any] = event.details
    return {
        "n": details.get("annotations", 0),
        "created": details.get("created", 0),
        "updated": details.get("updated", 0),
        "moved": details.get("moved", 0),
        "rows": details.get("rows", 0),
        "owner": details.get("owner", ""),
        "people": ", ".join(details.get("people", [])),
        "of": details.get("of", ""),
        "into": details.get("into", ""),
        "role": _role(details.get("role", "")),
        "before": _role(details.get("before", "")),
        "family": family_title(event.subject),
        "work": _job(event.subject),
        "documents": details.get("documents", 0),
        "hits": details.get("hits", 0),
        "action": _action(details.get("action") or event.subject),
        "fields": ", ".join(details.get("fields", [])),
        "changes": "; ".join(_changes(event)),
        "new": details.get("changed", {}).get("name", {}).get("new", ""),
    }


def _role(role: str) -> str:
    return str(Role(role).label) if role in Role.values else role


def _job(kind: str) -> str:
    return str(JobKind(kind).label) if kind in JobKind.values else kind


def _action(action: str) -> str:
    return str(BulkAction(action).label) if action in BulkAction.values else action


def _bulk_changed(event: Event) -> str:
    if event.details.get("action") == BulkAction.LIST:
        return _("%(who)s made the list “%(subject)s” of %(documents)s documents")
    if event.subject:
        return _("%(who)s: %(action)s, “%(subject)s”, for %(documents)s of %(hits)s documents")
    return _("%(who)s: %(action)s, for %(documents)s of %(hits)s documents")


def _bulk_undone(event: Event) -> str:
    if event.details.get("action") == BulkAction.LIST:
        return _("%(who)s closed the list “%(subject)s”")
    if event.subject:
        return _("%(who)s undid: %(action)s, “%(subject)s”, for %(documents)s documents")
    return _("%(who)s undid: %(action)s, for %(documents)s documents")


def _changes(event: Event) -> Iterator[str]:
    for field, change in event.details.get("changed", {}).items():
        if "version" in change:
            yield _("the guidelines, whose version is %(n)s now") % {"n": change["version"]}
            continue
        words = {
            "field": _field_title(event, field),
            "old": _value(event, field, change["old"]),
            "new": _value(event, field, change["new"]),
        }
        yield _("%(field)s from “%(old)s” to “%(new)s”") % words


def _field_title(event: Event, field: str) -> str:
    if event.kind == EventKind.LABEL_CHANGED:
        return str(LABEL_FIELDS.get(field, field))
    if event.kind == EventKind.THRESHOLDS_CHANGED:
        return field or _("least confidence")
    of = Corridor if event.kind == EventKind.WATCH_CHANGED else Project
    try:
        return str(of._meta.get_field(field).verbose_name)  # type: ignore[union-attr]
    except FieldDoesNotExist:  # of a version of the site that had this setting
        return field


def _value(event: Event, field: str, value: Any) -> str:
    if value in ("", None, [], {}):
        return _("nothing")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    if event.kind == EventKind.SETTINGS_CHANGED and field in _CHOICES:
        return str(_CHOICES[field].get(value, value))
    return str(value)


def _label_changed(event: Event) -> str:
    if set(event.details.get("changed", {})) == {"name"}:
        return _("%(who)s renamed “%(subject)s” to “%(new)s”")
    return _("%(who)s changed the label “%(subject)s”: %(changes)s")


def _archived(event: Event) -> str:
    return ngettext(
        "%(who)s archived the label “%(subject)s”; %(n)s annotation keeps it",
        "%(who)s archived the label “%(subject)s”; %(n)s annotations keep it",
        event.details.get("annotations", 0),
    )


def _cancelled(event: Event) -> str:
    told = {
        "import": _("%(who)s cancelled the import of “%(subject)s”"),
        "job": _("%(who)s cancelled the work “%(work)s”"),
        "run": _("%(who)s cancelled a training of “%(family)s”"),
        "bulk": _("%(who)s stopped a bulk change: %(action)s"),
    }
    return told.get(event.details.get("work", ""), _("%(who)s cancelled “%(subject)s”"))


def _account_changed(event: Event) -> str:
    if event.details.get("fields"):
        return _("%(who)s changed the account “%(subject)s”: %(fields)s")
    return _("%(who)s changed the account “%(subject)s”")


SENTENCES: dict[str, Any] = {
    EventKind.PROJECT_CREATED: gettext_lazy("%(who)s made the project “%(project)s”"),
    EventKind.PROJECT_DELETED: gettext_lazy("%(who)s deleted the project “%(project)s”"),
    EventKind.SETTINGS_CHANGED: gettext_lazy("%(who)s changed the settings: %(changes)s"),
    EventKind.LABELS_ADDED: gettext_lazy("%(who)s added the label “%(subject)s”"),
    EventKind.LABEL_CHANGED: _label_changed,
    EventKind.LABEL_ARCHIVED: _archived,
    EventKind.DICTIONARY_CHANGED: gettext_lazy("%(who)s changed the project's dictionary"),
    EventKind.LABEL_RESTORED: gettext_lazy("%(who)s restored the label “%(subject)s”"),
    EventKind.LABEL_MERGED: gettext_lazy(
        "%(who)s merged the label “%(subject)s” into “%(into)s”, with %(n)s annotations"
    ),
    EventKind.LABEL_SPLIT: gettext_lazy(
        "%(who)s split the label “%(subject)s” into “%(into)s”: %(documents)s documents are labelled again"
    ),
    EventKind.LABELS_REORDERED: gettext_lazy("%(who)s changed the order of the labels"),
    EventKind.MEMBER_ADDED: gettext_lazy("%(who)s added %(subject)s as “%(role)s”"),
    EventKind.INVITED: gettext_lazy("%(who)s invited %(subject)s as “%(role)s”"),
    EventKind.INVITATION_ACCEPTED: gettext_lazy("%(who)s came in by the invitation of %(subject)s"),
    EventKind.INVITATION_REVOKED: gettext_lazy("%(who)s took the invitation of %(subject)s back"),
    EventKind.ROLE_CHANGED: gettext_lazy(
        "%(who)s changed the role of %(subject)s from “%(before)s” to “%(role)s”"
    ),
    EventKind.MEMBER_REMOVED: gettext_lazy("%(who)s removed %(subject)s, who was “%(role)s”"),
    EventKind.MEMBER_RESTORED: gettext_lazy(
        "%(who)s undid the removal of %(subject)s, who is “%(role)s” again"
    ),
    EventKind.KEY_MADE: gettext_lazy("%(who)s made the API key “%(subject)s”"),
    EventKind.KEY_REVOKED: gettext_lazy("%(who)s ended the API key “%(subject)s” of %(owner)s"),
    EventKind.KEY_ENDED: gettext_lazy("The API key “%(subject)s” of %(owner)s ended with their old password"),
    EventKind.ACCOUNT_MADE: gettext_lazy("%(who)s made the account “%(subject)s”"),
    EventKind.ACCOUNT_CHANGED: _account_changed,
    EventKind.ACCOUNT_DISABLED: gettext_lazy("%(who)s disabled the account “%(subject)s”"),
    EventKind.ACCOUNT_ENABLED: gettext_lazy("%(who)s enabled the account “%(subject)s” again"),
    EventKind.PASSWORD_LINK_MADE: gettext_lazy("%(who)s made a link for a new password of “%(subject)s”"),
    EventKind.PASSWORD_SET: gettext_lazy("%(who)s set a new password by a link"),
    EventKind.ACCOUNT_DELETED: gettext_lazy("%(who)s deleted the account “%(subject)s”"),
    EventKind.UPLOADED: gettext_lazy("%(who)s uploaded the file “%(subject)s”"),
    EventKind.IMPORTED: gettext_lazy("%(who)s started the import of “%(subject)s”"),
    EventKind.LANES_EVENED: gettext_lazy(
        "%(who)s moved %(moved)s documents of the import of “%(subject)s” to the other lane"
    ),
    EventKind.IMPORT_UNDONE: gettext_lazy("%(who)s undid the import of “%(subject)s”"),
    EventKind.IMPORT_DELETED: gettext_lazy("%(who)s deleted the documents of the import of “%(subject)s”"),
    EventKind.STORED: gettext_lazy(
        "%(who)s stored documents without a file: %(created)s new, %(updated)s changed"
    ),
    EventKind.COMMENTED: gettext_lazy("%(who)s commented on document %(document)s"),
    EventKind.DOCUMENT_CHANGED: gettext_lazy("%(who)s changed the metadata of document %(document)s"),
    EventKind.EXPORT_ASKED: gettext_lazy("%(who)s asked for an export as “%(subject)s”"),
    EventKind.ARCHIVE_UPLOADED: gettext_lazy("%(who)s uploaded the archive “%(subject)s”"),
    EventKind.PROJECT_DUPLICATED: gettext_lazy("%(who)s made this project after “%(subject)s”"),
    EventKind.PROJECT_RESTORED: gettext_lazy("%(who)s restored the project “%(project)s” from “%(subject)s”"),
    EventKind.EXPORTED: gettext_lazy("%(who)s exported %(rows)s rows as “%(subject)s”"),
    EventKind.RETURNED: gettext_lazy(
        "%(who)s returned document %(document)s, put aside by %(subject)s, to the queue"
    ),
    EventKind.HANDED_TO: gettext_lazy("%(who)s handed document %(document)s to %(subject)s"),
    EventKind.HANDED_ON_ACCEPTED: gettext_lazy(
        "%(who)s kept the answer to document %(document)s that %(subject)s had handed on"
    ),
    EventKind.LIST_CHANGED: gettext_lazy("%(who)s changed who labels the list “%(subject)s”: %(people)s"),
    EventKind.HANDED_ON_REOPENED: gettext_lazy(
        "%(who)s let the answer to document %(document)s wait again that %(subject)s had handed on"
    ),
    EventKind.HANDED_ON_DISCARDED: gettext_lazy(
        "%(who)s discarded the answer to document %(document)s that %(subject)s had handed on"
    ),
    EventKind.GOLD_GIVEN: gettext_lazy("%(who)s gave document %(document)s a gold answer"),
    EventKind.GOLD_REMOVED: gettext_lazy("%(who)s made an answer to document %(document)s gold no longer"),
    EventKind.ANSWER_WITHDRAWN: gettext_lazy(
        "%(who)s withdrew the answer of %(subject)s to document %(document)s"
    ),
    EventKind.DOCUMENT_DELETED: gettext_lazy("%(who)s deleted document %(document)s"),
    EventKind.BULK_CHANGED: _bulk_changed,
    EventKind.BULK_UNDONE: _bulk_undone,
    EventKind.VIEW_SAVED: gettext_lazy("%(who)s saved the view “%(subject)s” for the project"),
    EventKind.VIEW_RENAMED: gettext_lazy("%(who)s renamed the view “%(subject)s” to “%(new)s”"),
    EventKind.VIEW_DELETED: gettext_lazy("%(who)s deleted the view “%(subject)s” of the project"),
    EventKind.COMMENTED: gettext_lazy("%(who)s commented on document %(document)s"),
    EventKind.PUBLISHED: gettext_lazy("%(who)s published version %(subject)s"),
    EventKind.ROLLED_BACK: gettext_lazy("%(who)s went back to version %(subject)s"),
    EventKind.RUN_STARTED: gettext_lazy("%(who)s started a training of “%(family)s”"),
    EventKind.THRESHOLDS_CHANGED: gettext_lazy(
        "%(who)s made version %(subject)s of version %(of)s by other thresholds: %(changes)s"
    ),
    EventKind.HOLDOUT_SCORED: gettext_lazy("%(who)s had version %(subject)s score the holdout"),
    EventKind.MEASURED: gettext_lazy("%(who)s had the report card measured anew"),
    EventKind.CANCELLED: _cancelled,
    EventKind.WATCH_CHANGED: gettext_lazy("%(who)s changed how drift is watched: %(changes)s"),
    EventKind.ALARM_SEEN: gettext_lazy("%(who)s has seen the alarm of drift"),
    EventKind.ALARM_USUAL: gettext_lazy("%(who)s said that what raised the alarm of drift is usual"),
    EventKind.WEBHOOK_ADDED: gettext_lazy("%(who)s added a webhook to %(subject)s"),
    EventKind.WEBHOOK_REMOVED: gettext_lazy("%(who)s removed the webhook to %(subject)s"),
    EventKind.WEBHOOK_TESTED: gettext_lazy("%(who)s tried out the webhook to %(subject)s"),
    EventKind.WEBHOOK_ON: gettext_lazy("%(who)s switched the webhook to %(subject)s on again"),
    EventKind.WEBHOOK_OFF: gettext_lazy(
        "%(who)s switched the webhook to %(subject)s off, as it took nothing for long"
    ),
    EventKind.ALARMS_SNOOZED: gettext_lazy("%(who)s snoozed alarms of drift for a week"),
}
_CHOICES: dict[str, dict[Any, Any]] = {
    field.name: dict(field.flatchoices) for field in Project._meta.fields if field.choices
}
Told = Callable[[Event], str]


def csv_lines(events: QuerySet[Event]) -> Iterator[bytes]:
    """Yield all events as CSV, the newest first, a chunk in memory at a time.

    It begins with a byte order mark, as without it Excel takes UTF-8 for another encoding.
    """
    # NB: its chunks are asked for when the request is over, and with it the language of who reads them.
    return _csv_lines(events, get_language())


def _csv_lines(events: QuerySet[Event], language: str) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" + _lines([COLUMNS])
    last: int | None = None
    # NB: from the last key on, as one cursor for all of them would hold the database for as long as it takes.
    while chunk := list((events.filter(pk__lt=last) if last else events).order_by("-pk")[:CHUNK]):
        last = chunk[-1].pk
        with override(language):
            lines = _lines(map(_row, chunk))
        yield lines


def _row(event: Event) -> tuple[Any, ...]:
    details = json.dumps(event.details, ensure_ascii=False) if event.details else ""
    return (
        event.pk,
        event.at.isoformat(),
        event.kind,
        marked(event.by_name),
        marked(event.project_name),
        event.document_id or "",
        marked(event.subject),
        marked(sentence(event)),
        marked(details),
    )


def _lines(rows: Any) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return printable(written.getvalue()).encode()
