"""Rows become documents: an upsert by external id, else by text, in short transactions."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Document, Import, Project, UnindexedText, User
from annotate.models.documents import fold
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.imports import holdout, lanes, missing
from annotate.services.imports.bulk_insert import insert
from annotate.services.imports.changes import Changes
from annotate.services.imports.labels import Choice, ImportedLabels
from annotate.services.imports.lanes import LaneCounts
from annotate.services.imports.matching import Known, RowMatch, Seen
from training import splits
from training.storable import is_blank, json_fault, printable, text_fault
from training.types import Answer

CHUNK = 2000
CHUNK_CHARS = 20_000_000  # texts may be long, and a chunk is held in memory
# What a single row can cause. Whatever else is raised is about the database or this program, and all rows.
ROW_FAULTS = (DataError, IntegrityError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
MOST_FAULTS = 50  # rows that were taken out of their chunks one by one, until it is not for the rows any more
KEPT_PROBLEMS = 1000
LONGEST_ID = 255
LONGEST_REASON = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IncomingDocument:
    """One document as it comes in.

    `answer` is in the names of labels; None means "not known", which an empty answer, "none applies", is not.
    `number` is what the person calls the row; `problem` is set where it could not be read. `annotator` is who
    gave the answer, and `gold` whether it is gold, where our own export says so. `unfit` says why there is no
    answer although the row gives one: its text is stored without.
    """

    text: str
    external_id: str = ""
    answer: Answer | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    problem: str = ""
    annotator: str = ""
    gold: bool = False
    unfit: str = ""


@dataclass(slots=True)
class Counts:
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    broken: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    lanes: LaneCounts = field(default_factory=LaneCounts)
    missing: dict[str, int] = field(default_factory=dict)  # labels that the project does not offer: rows
    unfit: dict[str, int] = field(default_factory=dict)  # why no document can have an answer: rows
    spellings: dict[str, int] = field(default_factory=dict)  # what was made of labels that look alike: rows
    made_labels: list[int] = field(default_factory=list)  # the keys of labels that were made

    def add(self, other: Counts) -> None:
        self.rows += other.rows
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.broken += other.broken
        self.lanes.add(other.lanes)
        missing.add(self.missing, other.missing)
        missing.add(self.unfit, other.unfit)
        missing.add(self.spellings, other.spellings)
        self.made_labels += other.made_labels
        self.problems += other.problems[: KEPT_PROBLEMS - len(self.problems)]


OnChunk = Callable[[Counts], None]


def recorded(*, project: Project, by: User | None) -> OnChunk:
    """Return what records each chunk as an event, for documents that come without an import of a file."""

    def record(counts: Counts) -> None:
        if counts.created or counts.updated:
            created, updated = counts.created, counts.updated
            events.record(EventKind.STORED, by=by, project=project, created=created, updated=updated)

    return record


def store_rows(
    *,
    project: Project,
    rows: Iterable[IncomingDocument],
    source: Import | None = None,
    stored: int = 0,
    gold: bool = False,
    create_labels: bool = False,
    label_choices: Mapping[str, Choice] | None = None,
    dry_run: bool = False,
    holds_out: bool = True,
    on_chunk: OnChunk | None = None,
) -> Counts:
    """Add and update documents; return what became of the rows, with the first problems.

    `source` is the import that the rows come with, where they come by a file. The first `stored` rows were
    stored by a worker that was lost: they are only read, so that later ones cannot contradict them.
    New documents are drawn for the holdout unless not `holds_out`, as where they were chosen by somebody;
    those that are like one of the holdout go there all the same.
    Labels become the answers of the annotator "import", or gold. `on_chunk` gets the counts of each chunk
    inside its transaction (of a dry run: after it), so that progress and documents are saved together.
    """
    total, seen = Counts(), Seen()
    labels = ImportedLabels(project, gold=gold, create=create_labels, choices=label_choices)
    rows = iter(rows)
    for chunk in _chunks(islice(rows, stored)):
        _recall(project, chunk, labels, seen)
    chunks = _chunks(rows)
    faults = 0
    waiting: list[list[IncomingDocument]] = []
    while chunk := waiting.pop() if waiting else next(chunks, []):
        try:
            with transaction.atomic():
                # Two imports of one project take turns; annotators, who only refer to the row, do not wait.
                Project.objects.select_for_update(no_key=True).get(pk=project.pk)
                share = project.holdout_share if holds_out else 0.0
                counts = _store_chunk(
                    project, chunk, labels, seen, source=source, dry_run=dry_run, share=share
                )
                if dry_run:
                    transaction.set_rollback(True)
                elif on_chunk:
                    on_chunk(counts)
        except ROW_FAULTS as error:
            faults += len(chunk) == 1
            if faults > MOST_FAULTS or (len(chunk) == 1 and chunk[0].problem):
                raise
            labels.annotator = None  # it may have been made in the transaction that is undone now
            waiting += _parted(chunk, error)
            continue
        if dry_run and on_chunk:
            on_chunk(counts)
        total.add(counts)
    if labels.used and not dry_run:
        total.lanes.moved += holdout.stock_holdout(project=project)
    return total


def _chunks(rows: Iterable[IncomingDocument]) -> Iterator[list[IncomingDocument]]:
    chunk: list[IncomingDocument] = []
    length = 0
    for row in rows:
        chunk.append(row)
        length += len(row.text) + sum(len(value) for value in row.meta.values() if isinstance(value, str))
        if len(chunk) >= CHUNK or length >= CHUNK_CHARS:
            yield chunk
            chunk, length = [], 0
    if chunk:
        yield chunk


def _parted(chunk: list[IncomingDocument], error: Exception) -> list[list[IncomingDocument]]:
    """Return a chunk that could not be stored as its halves, the first at the end; a single row as broken."""
    if half := len(chunk) // 2:
        return [chunk[half:], chunk[:half]]
    logger.warning("Row %s could not be stored.", chunk[0].number, exc_info=error)
    # NB: what a database says of a row quotes it, and a deleted text must not stay in what is told of it.
    problem = _("The row could not be stored (%(kind)s); the worker's log has the details.")
    return [[replace(chunk[0], problem=problem % {"kind": type(error).__name__})]]


def _recall(project: Project, rows: Sequence[IncomingDocument], labels: ImportedLabels, seen: Seen) -> None:
    """Note what rows that are stored already were about, as `_store_chunk` does of those that it stores."""
    labels.load()
    entries = [entry for entry in (_entry(row, labels) for row in rows) if not entry.problem]
    known = Known(project, entries, seen, Changes(None))
    for entry in entries:
        entry.document = known.find(entry)
    labels.recall(entries)
    for entry in entries:
        seen.note(entry, lasting=True)


def _store_chunk(
    project: Project,
    rows: Sequence[IncomingDocument],
    labels: ImportedLabels,
    seen: Seen,
    *,
    source: Import | None,
    dry_run: bool,
    share: float,
) -> Counts:
    labels.load()
    entries = [_entry(row, labels) for row in rows]
    good = [entry for entry in entries if not entry.problem]
    changes = Changes(None if dry_run else source)
    known = Known(project, good, seen, changes)
    for entry in good:
        known.place(entry)
    placed = lanes.assign(project, known.created, known.lanes, share=share)
    columns = ["external_id", "text", "sha256", "split_key", "meta", "lane", "half"]
    values = list(map(attrgetter(*columns), known.created))
    shared = {
        "project_id": project.pk,
        "source_id": source.pk if source else None,
        "created_at": timezone.now(),
    }
    keys = insert(Document, values, columns, shared)
    for document, key in zip(known.created, keys, strict=True):
        document.pk = key
    if not dry_run:
        folded = [(document.pk, fold(document.text)) for document in known.created]
        insert(UnindexedText, folded, ["document", "text"], {"project_id": project.pk})
    known.save_changes()
    labels.annotate([entry for entry in good if not entry.problem], seen, changes)
    changes.save()
    for entry in good:
        seen.note(entry, lasting=not dry_run)
    counts = Counts(rows=len(entries), lanes=placed, made_labels=labels.made)
    for entry in entries:
        if entry.problem:
            counts.broken += 1
            counts.problems.append((entry.number, entry.problem))
        else:
            setattr(counts, entry.state, getattr(counts, entry.state) + 1)
            missing.note(counts.missing, entry.missing)
            missing.note(counts.unfit, [entry.unfit] if entry.unfit else [])
            missing.note(counts.spellings, entry.spellings)
    return counts


def _entry(row: IncomingDocument, labels: ImportedLabels) -> RowMatch:
    problem = row.problem or _fault(row)
    entry = RowMatch(
        row.number,
        row.text,
        row.external_id,
        dict(row.meta),
        problem=problem,
        annotator=row.annotator,
        gold=row.gold or labels.gold,
        unfit=printable(row.unfit)[:LONGEST_REASON],
    )
    if problem:
        return entry
    entry.sha256 = hashlib.sha256(row.text.encode()).hexdigest()
    entry.split_key = splits.split_key(row.text)
    if row.answer is not None:
        labels.resolve(entry, row.answer)
    return entry


def _fault(row: IncomingDocument) -> str:
    """Return why no document can be made of a row, or an empty string; a caller may be an API."""
    if is_blank(row.text):
        return _("The text is empty.")
    if len(row.text) > settings.IMPORT_MAX_CELL:
        return _("The text has %(length)s characters; at most %(most)s are stored.") % {
            "length": f"{len(row.text):,}",
            "most": f"{settings.IMPORT_MAX_CELL:,}",
        }
    if len(row.external_id) > LONGEST_ID:
        return _("The id has more than %(most)s characters.") % {"most": LONGEST_ID}
    if reason := text_fault(row.text) or text_fault(row.external_id):
        return _("The text or the id %(reason)s.") % {"reason": reason}
    fault = json_fault(dict(row.meta))
    if fault is None:
        return ""
    return _("What is kept beside the text %(reason)s, at %(place)s.") % {
        "reason": fault.reason,
        "place": fault.pointer or "/",
    }
