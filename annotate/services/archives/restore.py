"""An archive becomes a project of this site: hidden until all of it is there, and removed where it is not."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import (
    Annotation,
    AnnotationLabel,
    AnnotationSpan,
    ClassMetric,
    Comment,
    Decision,
    DictionaryEntry,
    Document,
    Event,
    GuidelinesVersion,
    Label,
    Membership,
    ModelVersion,
    Project,
    Publication,
    Restoration,
    UnindexedText,
    User,
)
from annotate.models.annotations import Outcome, Source
from annotate.models.documents import fold
from annotate.models.events import EventKind
from annotate.models.members import Role
from annotate.services import events
from annotate.services.archives.reading import Archive, ArchiveError
from annotate.services.exports import archive as written
from annotate.services.imports.bulk_insert import insert
from annotate.services.projects import guidelines
from annotate.services.work import lease
from annotate.services.work.progress import ProgressMeter, Superseded
from annotate.task_types import answers
from training.storable import json_fault, text_fault
from training.types import Answer

CHUNK = 1000
# Which archives of an earlier site do not have.
LATER_FIGURES = {"micro_f1_low": None, "micro_f1_high": None, "gain": None, "abstain_below": 0.0}
Row = dict[str, Any]
BAD = (KeyError, TypeError, ValueError, AttributeError, DatabaseError, ValidationError, OverflowError)


def restore(row: Restoration, path: Path, meter: ProgressMeter) -> Project:
    """Fill a hidden project from an archive, and show it; raises `ArchiveError` where that cannot be done.

    What a failed or killed attempt has stored stays hidden, and the tick has it removed.
    """
    with Archive(path) as archive:
        meter("restore", 0.0)
        archive.verify()
        told = archive.project()
        with transaction.atomic():
            project = _hidden(told)
            if not lease.beat(row=row, project=project):
                raise Superseded
        filling = _Filling(project, told, archive, meter)
        filling.fill()
        return _show(row, project, told, filling)


def _hidden(told: Row) -> Project:
    with _named("project.json"):
        known = {name: value for name, value in told["settings"].items() if name in written.SETTINGS}
        project = Project(name=told["name"], task=told["task"], slug="restored", **known)
        project.full_clean(exclude=["slug"], validate_unique=False)
        project.slug = f"~{uuid.uuid4().hex[:20]}"  # no address can have it
        project.deleted_at = timezone.now()
        project.save()
        Project.objects.filter(pk=project.pk).update(created_at=_time(told["created_at"]))
    return project


class _named:
    """Tells which part of an archive could not be stored, in place of what the database or Python says."""

    def __init__(self, member: str) -> None:
        self.member, self.rows = member, 0

    def __enter__(self) -> _named:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, BAD) and not isinstance(error, lease.AWAY):
            sentence = _("“%(member)s” holds what cannot be stored, after its row %(rows)s: %(why)s")
            why = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise ArchiveError(sentence % {"member": self.member, "rows": self.rows, "why": why}) from error

    def chunks(self, rows: Iterable[Row]) -> Iterator[list[Row]]:
        chunk: list[Row] = []
        for row in rows:
            chunk.append(row)
            if len(chunk) == CHUNK:
                yield chunk
                self.rows += len(chunk)
                chunk = []
        if chunk:
            yield chunk


class _Filling:
    """Stores the members of an archive one after the other, and knows the new keys of what is stored."""

    def __init__(self, project: Project, told: Row, archive: Archive, meter: ProgressMeter) -> None:
        self.project, self.archive, self.meter = project, archive, meter
        self.documents: dict[int, int] = {}
        self.versions: dict[int, int] = {}
        self.placeholders: list[str] = []
        with _named("project.json"):
            self.labels = self._labels(told["labels"])
            self._dictionary(told.get("dictionary", ()))  # archives of before it have none
            if "guidelines" in told:
                self._guidelines(told["guidelines"])
            else:  # an archive from before earlier versions were kept
                guidelines.keep(project=self.project, by=None)
            self.people = self._people(told["people"])

    def fill(self) -> None:
        steps: Sequence[tuple[str, Callable[[list[Row]], None]]] = [
            ("documents.jsonl", self._documents),
            ("versions.jsonl", self._versions),
            ("annotations.jsonl", self._annotations),
            ("comments.jsonl", self._comments),
            ("events.jsonl", self._events),
        ]
        for number, (name, store) in enumerate(steps):
            with _named(name) as told:
                for chunk in told.chunks(self.archive.rows(name)):
                    self.meter("restore", (number + 0.5) / len(steps))
                    with transaction.atomic():
                        store(chunk)
        self._bundles()

    def _guidelines(self, rows: Sequence[Row]) -> None:
        for row in rows:
            version = GuidelinesVersion(
                project=self.project,
                number=row["number"],
                text=row["text"],
                created_at=_time_or_none(row["created_at"]),
            )
            version.full_clean(exclude=["project", "by"])
            version.save()

    def _dictionary(self, rows: Sequence[tuple[str, int]]) -> None:
        entries = [
            DictionaryEntry(project=self.project, label_id=self.labels[int(label)], words=words)
            for words, label in rows
        ]
        for entry in entries:
            entry.clean_fields(exclude=["project", "label"])
        DictionaryEntry.objects.bulk_create(entries)

    def _labels(self, rows: list[Row]) -> dict[int, int]:
        made = {}
        for row in rows:
            archived = _time_or_none(row["archived_at"])
            label = Label(
                project=self.project,
                archived_at=archived,
                of_spans=bool(row.get("of_spans")),  # archives of earlier versions of the site know one kind
                **_only(row, written.LABEL[1:5]),
            )
            label.full_clean(exclude=["project"])
            label.save()
            made[int(row["id"])] = label.pk
        for row in rows:
            # Archives of earlier versions of the site know no merged labels.
            if into := row.get("merged_into"):
                Label.objects.filter(pk=made[int(row["id"])]).update(merged_into=made[int(into)])
        return made

    def _people(self, people: Mapping[str, bool]) -> dict[str, int]:
        """Match accounts by name; whoever is not there gets one that nobody can log in to."""
        found = {}
        for name, is_machine in people.items():
            user = User.objects.filter(username=name, is_machine=is_machine).first()
            if user is None:
                user = User(username=name, is_active=False, is_machine=bool(is_machine))
                user.set_unusable_password()
                user.clean_fields(exclude=["password", *(["username"] if is_machine else [])])
                user.save()
                self.placeholders.append(name)
            found[name] = user.pk
        return found

    def _documents(self, rows: list[Row]) -> None:
        for row in rows:
            if fault := text_fault(row["text"]) or text_fault(row["external_id"] or ""):
                raise ValueError(fault)
            if found := json_fault(row["meta"]):
                raise ValueError(found.reason)
        columns = [*written.DOCUMENT]
        values = [[*(row[name] for name in columns[:-1]), _time(row["created_at"])] for row in rows]
        keys = insert(Document, values, columns, {"project_id": self.project.pk})
        self.documents |= {int(row["id"]): key for row, key in zip(rows, keys, strict=True)}
        folded = [(key, fold(row["text"])) for row, key in zip(rows, keys, strict=True)]
        insert(UnindexedText, folded, ["document", "text"], {"project_id": self.project.pk})

    def _versions(self, rows: list[Row]) -> None:
        for row in rows:
            known = _only(LATER_FIGURES | row, written.VERSION[:-2])
            known["label_ids"] = [self.labels[int(label)] for label in row["label_ids"]]
            made, published = _time(row["created_at"]), _time_or_none(row["published_at"])
            folder = f"{self.project.pk}/restored-{int(row['number'])}" if row["bundle"] else ""
            revised = row.get("revises")
            version = ModelVersion(
                project=self.project,
                bundle=folder,
                published_at=published,
                revises_id=None if revised is None else self.versions[int(revised)],
                **known,
            )
            version.clean_fields(
                exclude=[
                    "project",
                    "run",
                    "revises",
                    "bundle",
                    "published_at",
                    *(n for n in known if not known[n]),
                ]
            )
            version.save()
            ModelVersion.objects.filter(pk=version.pk).update(created_at=made)
            self.versions[version.number] = version.pk
            for metric in row["class_metrics"]:
                label = self.labels[int(metric["label_id"])]
                ClassMetric.objects.create(
                    version=version, label_id=label, **_only(metric, written.METRIC[1:])
                )
            for told in row["publications"]:
                Publication.objects.create(
                    project=self.project,
                    version=version,
                    published_at=_time(told["published_at"]),
                    withdrawn_at=_time_or_none(told["withdrawn_at"]),
                )

    def _annotations(self, rows: list[Row]) -> None:
        columns = ["document_id", "annotator_id", "shown_version_id", *written.ANNOTATION]
        values = []
        for row in rows:
            if row["outcome"] not in Outcome.values or row["source"] not in Source.values:
                raise ValueError(_("an outcome or an origin that is not known"))
            values.append(
                [
                    self.documents[int(row["document"])],
                    self.people[row["annotator"]],
                    None if row["shown_version"] is None else self.versions.get(row["shown_version"]),
                    *(row[name] for name in written.ANNOTATION[:-3]),
                    None if row["shown"] is None else self._answer(row["shown"]),
                    _time(row["created_at"]),
                    _time(row["updated_at"]),
                ]
            )
        keys = insert(Annotation, values, columns, {"project_id": self.project.pk})
        said = [
            (key, self._answer({name: row[name] for name in ("labels", "spans") if name in row}))
            for row, key in zip(rows, keys, strict=True)
        ]
        chosen = [(key, label) for key, answer in said for label in answer.labels]
        insert(AnnotationLabel, chosen, ["annotation_id", "label_id"], {})
        marked = [(key, span.label, span.start, span.end) for key, answer in said for span in answer.spans]
        insert(AnnotationSpan, marked, ["annotation_id", "label_id", "start", "end"], {})
        self._decisions([(key, one) for row, key in zip(rows, keys, strict=True) for one in row["decisions"]])

    def _decisions(self, rows: list[tuple[int, Row]]) -> None:
        """Store decisions; a card that this site knows already gets another key."""
        cards = [uuid.UUID(row["card"]) for _annotation, row in rows]
        taken = set(Decision.objects.filter(card__in=cards).values_list("card", flat=True))
        values = [
            [
                annotation,
                uuid.uuid4() if card in taken else card,
                row["outcome"],
                self._answer(row["answer"]),
                row["reason"],
                row["seconds"],
                _time(row["created_at"]),
            ]
            for (annotation, row), card in zip(rows, cards, strict=True)
        ]
        insert(Decision, values, ["annotation_id", *written.DECISION], {})

    def _comments(self, rows: list[Row]) -> None:
        keys = [uuid.UUID(row["key"]) for row in rows]
        taken = set(Comment.objects.filter(key__in=keys).values_list("key", flat=True))
        values = [
            [
                self.documents[int(row["document"])],
                self.people[row["author"]],
                uuid.uuid4() if key in taken else key,
                row["text"],
                _time(row["created_at"]),
            ]
            for row, key in zip(rows, keys, strict=True)
        ]
        insert(Comment, values, ["document_id", "author_id", "key", "text", "created_at"], {})

    def _events(self, rows: list[Row]) -> None:
        """Store events by the names of who did them: no account of this site did what it tells."""
        columns = ["at", "kind", "by_name", "document_id", "subject", "details"]
        values = [
            [
                _time(row["at"]),
                str(row["kind"])[:40],
                str(row["by_name"])[:150],
                self.documents.get(row["document_id"]) if row["document_id"] else None,
                str(row["subject"])[:255],
                row["details"],
            ]
            for row in rows
        ]
        shared = {"project_id": self.project.pk, "project_name": self.project.name}
        insert(Event, values, columns, shared)

    def _bundles(self) -> None:
        root = Path(settings.BUNDLE_ROOT) / str(self.project.pk)
        for number, inside, member in self.archive.bundle_files():
            self.meter("restore", 0.95)
            if number not in self.versions:
                raise ArchiveError(_("The archive has a bundle of a version that it has not."))
            target = root / f"restored-{number}" / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for block in self.archive.blocks(member):
                    file.write(block)

    def _answer(self, content: Row) -> Answer:
        """Return an answer in the labels of this site."""
        said = Answer.load(content)
        known = {
            label: self.labels[int(label)]
            for label in [*answers.labels_of(said), *(label for label, _score in said.scores)]
        }
        return answers.translated(said, known)


def _only(row: Mapping[str, Any], names: Iterable[str]) -> Row:
    return {name: row[name] for name in names}


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(_("a time without its zone"))
    return found


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else _time(text)


def _show(row: Restoration, project: Project, told: Row, filling: _Filling) -> Project:
    """Give the project its address and its lead, in one transaction with the end of the work."""
    counts = {
        "documents": len(filling.documents),
        "annotations": Annotation.objects.filter(project=project).count(),
        "versions": len(filling.versions),
        "placeholders": filling.placeholders[:100],
    }
    wanted = str(told["slug"])[:40] or "restored"
    for number in range(1, 1000):
        slug = wanted if number == 1 else f"{wanted}-{number}"
        try:
            with transaction.atomic():
                Project.objects.filter(pk=project.pk).update(slug=slug, deleted_at=None)
                project.refresh_from_db()
                project.clean_fields(
                    exclude=[name.name for name in Project._meta.fields if name.name != "slug"]
                )
                if row.user:
                    Membership.objects.create(project=project, user=row.user, role=Role.LEAD)
                events.record(
                    EventKind.PROJECT_RESTORED,
                    by=row.user,
                    project=project,
                    subject=row.name,
                    documents=counts["documents"],
                    annotations=counts["annotations"],
                )
                if not lease.beat(row=row, found=counts):
                    raise Superseded
                return project
        except IntegrityError:
            continue
        except ValidationError:
            wanted = "restored"
    raise ArchiveError(_("No short name is free for the project of this archive."))
