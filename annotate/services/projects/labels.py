"""A project's labels: added, renamed, given keys, archived and restored.

Each change begins with the lock of the project, so that two leads, or a lead and an import, take turns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import hotkeys
from annotate.models import Annotation, Job, Label, Project, User
from annotate.models.events import EventKind
from annotate.models.jobs import JobKind
from annotate.services import events
from annotate.services.projects.refused import Refused
from annotate.services.work import jobs
from annotate.task_types import label_names
from training.storable import is_blank

MOST_TOLD = 100  # names in one event


@dataclass(frozen=True, slots=True)
class LabelEdit:
    """What a label is to be called and which key chooses it; its annotations stay as they are.

    What is None stays as well, whatever somebody else makes of it meanwhile.
    """

    pk: int
    name: str | None = None
    description: str | None = None
    hotkey: str | None = None


@transaction.atomic
def add_labels(
    *,
    project: Project,
    labels: Iterable[tuple[str, str]],
    by: User | None = None,
    of_spans: bool = False,
) -> list[Label]:
    """Add labels by (name, description); `of_spans` counts where a project has labels of both kinds."""
    _lock(project.pk)
    wanted = [(label_names.tidy(name), description.strip()) for name, description in labels]
    existing = list(project.labels.all())
    _refuse_repeated_names([label.name for label in existing] + [name for name, _description in wanted])
    free = hotkeys.free(label.hotkey for label in existing if label.archived_at is None)
    first = max((label.position for label in existing), default=-1) + 1
    added = Label.objects.bulk_create(
        Label(
            project=project,
            name=name,
            description=text,
            hotkey=next(free, ""),
            of_spans=of_spans and project.task_type.has_kinds,
            position=first + position,
        )
        for position, (name, text) in enumerate(wanted)
    )
    for label in added:
        events.record(EventKind.LABELS_ADDED, by=by, project=project, subject=label.name)
    return added


@transaction.atomic
def update_labels(*, project: Project, edits: Sequence[LabelEdit], by: User | None = None) -> list[Label]:
    """Rename, describe and re-key the project's live labels, all of them or none."""
    _lock(project.pk)
    # NB: a name is half of a unique key, so decisions that chose the label wait for its new name. They take
    # their labels in the order of the keys as well.
    live = project.labels.live().select_for_update().order_by("pk")
    labels = {label.pk: label for label in live}
    before = {label.pk: _told(label) for label in labels.values()}
    is_rekeyed = False
    for edit in edits:
        if edit.pk not in labels:
            name = edit.name or project.labels.get(pk=edit.pk).name
            raise Refused(_("The label “%(name)s” was archived meanwhile.") % {"name": name})
        is_rekeyed = _edit(labels[edit.pk], edit) or is_rekeyed
    others = project.labels.exclude(pk__in=labels).values_list("name", flat=True)
    _refuse_repeated_names([label.name for label in labels.values()] + list(others))
    _refuse_bad_keys(labels.values(), hotkeys.reserved(project.task_type))
    if is_rekeyed:
        _refuse_too_few_keys(labels.values())
    _save_labels(list(labels.values()))
    for label in labels.values():
        _record_change(project, label, before[label.pk], by)
    return list(labels.values())


def _edit(label: Label, edit: LabelEdit) -> bool:
    """Fill in what changes; True where the label gets another key."""
    before = label.hotkey.lower()
    if edit.name is not None:
        label.name = label_names.tidy(edit.name)
    if edit.description is not None:
        label.description = edit.description.strip()
    if edit.hotkey is not None:
        label.hotkey = edit.hotkey.lower()
    return label.hotkey.lower() != before


@transaction.atomic
def reorder(*, project: Project, order: Sequence[int], by: User | None = None) -> bool:
    """Put the live labels into the order of these keys, those that it does not name behind them.

    False where they stand so already. Models do not depend on it.
    """
    _lock(project.pk)
    before = list(project.labels.live())
    wanted = {pk: place for place, pk in enumerate(dict.fromkeys(order))}
    after = sorted(before, key=lambda label: wanted.get(label.pk, len(wanted)))
    if after == before:
        return False
    for position, label in enumerate(after):
        label.position = position
    Label.objects.bulk_update(after, ["position"])
    events.record(
        EventKind.LABELS_REORDERED, by=by, project=project, order=[label.name for label in after[:MOST_TOLD]]
    )
    return True


def _told(label: Label) -> dict[str, str]:
    return {"name": label.name, "hotkey": label.hotkey, "description": label.description}


def _record_change(project: Project, label: Label, before: dict[str, str], by: User | None) -> None:
    after = _told(label)
    changed: dict[str, Any] = {
        field: {"old": old, "new": after[field]} for field, old in before.items() if old != after[field]
    }
    if changed:
        subject = before["name"]
        events.record(EventKind.LABEL_CHANGED, by=by, project=project, subject=subject, changed=changed)


def _lock(project: int) -> None:
    Project.objects.select_for_update(no_key=True).get(pk=project)


def _save_labels(labels: list[Label]) -> None:
    """Save in two steps: two labels that swap names or keys would break the constraints half-way."""
    final = [(label.name, label.hotkey) for label in labels]
    for label in labels:
        label.name, label.hotkey = uuid4().hex, ""
    Label.objects.bulk_update(labels, ["name", "hotkey"])
    for label, (name, hotkey) in zip(labels, final, strict=True):
        label.name, label.hotkey = name, hotkey
    Label.objects.bulk_update(labels, ["name", "description", "hotkey"])


def _refuse_repeated_names(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if is_blank(name):
            raise Refused(_("A label needs a name that can be seen."), "labels")
        if name in seen:
            raise Refused(
                _("The label “%(name)s” would exist twice; an archived label keeps its name too.")
                % {"name": name},
                "labels",
            )
        seen.add(name)


def _refuse_bad_keys(labels: Iterable[Label], reserved: frozenset[str]) -> None:
    owner: dict[str, str] = {}
    for label in labels:
        key = label.hotkey
        if not key:
            continue
        if key in reserved or len(key) != 1:
            raise Refused(
                _("“%(name)s” cannot have the key “%(key)s”: the labelling page uses it itself.")
                % {"name": label.name, "key": key}
            )
        if key in owner:
            raise Refused(
                _("The key “%(key)s” belongs to both “%(first)s” and “%(second)s”; give one of them another.")
                % {"key": key, "first": owner[key], "second": label.name}
            )
        owner[key] = label.name


def _refuse_too_few_keys(labels: Collection[Label]) -> None:
    """Refuse keys that leave too few for the likeliest labels, which stand apart where labels are many."""
    left = hotkeys.likeliest(label.hotkey for label in labels)
    if len(labels) > hotkeys.FEW and len(left) < hotkeys.LIKELIEST:
        raise Refused(
            _(
                "The labelling page needs %(wanted)s of the keys %(keys)s for the likeliest labels, and "
                "these labels leave it %(left)s. Give some of them other keys."
            )
            % {"wanted": hotkeys.LIKELIEST, "keys": " ".join(hotkeys.APART), "left": len(left)}
        )


@transaction.atomic
def archive_label(*, label: Label, by: User | None = None) -> int:
    """Take a label out of use and return the number of annotations that keep it."""
    _lock(label.project_id)
    kept = Annotation.objects.with_label(label.pk).count()
    if Label.objects.live().filter(pk=label.pk).exists():
        label.archived_at = timezone.now()
        label.save(update_fields=["archived_at"])
        events.record(
            EventKind.LABEL_ARCHIVED, by=by, project=label.project, subject=label.name, annotations=kept
        )
    return kept


@transaction.atomic
def restore_label(*, label: Label, by: User | None = None) -> list[Job]:
    """Bring an archived label back, with a free key where its own was given away meanwhile.

    Where it was merged that is taken back: return the job that gives it the answers which history has of it.
    """
    _lock(label.project_id)
    label.refresh_from_db()
    if label.archived_at is None:
        return []
    taken = set(label.project.labels.live().exclude(pk=label.pk).values_list("hotkey", flat=True))
    if label.hotkey in taken:
        label.hotkey = next(hotkeys.free(taken), "")
    label.is_returning = label.merged_into_id is not None
    label.archived_at = label.merged_into = None
    label.save(update_fields=["archived_at", "hotkey", "is_returning", "merged_into"])
    events.record(EventKind.LABEL_RESTORED, by=by, project=label.project, subject=label.name)
    return jobs.ask(kind=JobKind.MERGE, project=label.project) if label.is_returning else []
