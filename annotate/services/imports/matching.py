"""Finds the document of a row: the one with its external id, else the one with its text, else a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Annotation, Assignment, Document, Neighbourhood, Prediction, Project
from annotate.services.corpus import vector_store, word_vectors
from annotate.services.imports.changes import Changes
from training.types import Answer


@dataclass(slots=True)
class RowMatch:
    """A row on its way: the document it was matched with, and what became of it."""

    number: int
    text: str
    external_id: str
    meta: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    split_key: str = ""
    named: Answer = Answer()  # in names, as the keys of labels that a dry run makes do not last
    answer: Answer | None = None
    document: Document | None = None
    repeats: bool = False
    state: str = "unchanged"
    problem: str = ""
    missing: Sequence[str] = ()  # labels that the project does not offer: the text goes in without its answer
    unfit: str = ""  # why no document of the project can have the answer, and the text goes in without it
    spellings: Sequence[str] = ()  # what was made of labels that look like others
    annotator: str = ""  # who gave the answer, where our own export says so
    gold: bool = False
    decided: bool = False  # its answer is the one of its document, or was it already

    @property
    def key(self) -> str:
        return f"id:{self.external_id}" if self.external_id else self.sha256


class Marks:
    """A set of documents, with one bit for each."""

    def __init__(self) -> None:
        self.bits = bytearray()

    def __contains__(self, pk: int) -> bool:
        byte = pk >> 3
        return byte < len(self.bits) and bool(self.bits[byte] & (1 << (pk & 7)))

    def add(self, pk: int) -> None:
        byte = pk >> 3
        if byte >= len(self.bits):
            self.bits.extend(bytes(byte + 1 - len(self.bits) + 4096))
        self.bits[byte] |= 1 << (pk & 7)


class Seen:
    """Which documents earlier rows of the file were about, and which they gave an answer, or a gold one."""

    def __init__(self) -> None:
        self.documents, self.decided, self.golden = Marks(), Marks(), Marks()
        # What a dry run would have added, by hashes: a row's key to its text, any labels and if gold.
        self.unsaved: dict[int, tuple[int, int | None, bool]] = {}

    def note(self, entry: RowMatch, *, lasting: bool) -> None:
        if entry.document is None or entry.problem:
            return
        if not lasting and (entry.state == "created" or hash(entry.key) in self.unsaved):
            self.note_unsaved(entry)
            return
        self.documents.add(entry.document.pk)
        if entry.decided:
            self.decided.add(entry.document.pk)
        if entry.decided and entry.gold:
            self.golden.add(entry.document.pk)

    def note_unsaved(self, entry: RowMatch) -> None:
        """Keep what a row says; one without labels leaves those that an earlier row gave."""
        key = hash(entry.key)
        labels, gold = (hash(entry.named.choice), entry.gold) if entry.answer is not None else (None, False)
        if key in self.unsaved and (labels is None or self.unsaved[key][2]):
            _text, labels, gold = self.unsaved[key]
        self.unsaved[key] = (hash(entry.sha256), labels, gold)


class Known:
    """The documents of a project that a chunk may be about, fetched at once."""

    def __init__(self, project: Project, entries: Sequence[RowMatch], seen: Seen, changes: Changes) -> None:
        self.project, self.seen, self.changes = project, seen, changes
        ids = {entry.external_id for entry in entries if entry.external_id}
        digests = {entry.sha256 for entry in entries}
        documents = Document.objects.filter(project=project)
        self.by_id = {str(d.external_id): d for d in documents.filter(external_id__in=ids)}
        self.by_text: dict[str, Document] = {}
        for document in documents.filter(sha256__in=digests).order_by("pk"):
            known = self.by_id.get(document.external_id or "", document)  # one object for each document
            if document.external_id is None or document.sha256 not in self.by_text:
                self.by_text[document.sha256] = known
        # Near duplicates lie in one lane, also where a lead has changed the share since.
        split_keys = {entry.split_key for entry in entries}
        alike = documents.filter(split_key__in=split_keys).values_list("split_key", "lane", "half")
        self.lanes = {key: (lane, half) for key, lane, half in alike}
        # A text that would change stays where somebody has decided on it or has it before them now.
        moved = [
            self.by_id[entry.external_id].pk
            for entry in entries
            if entry.external_id in self.by_id and self.by_id[entry.external_id].sha256 != entry.sha256
        ]
        held = Assignment.objects.leased().filter(document__in=moved, expires_at__gt=timezone.now())
        decided = Annotation.objects.filter(document__in=moved, annotator__is_machine=False)
        # NB: first who has them, then who has decided: a decision that is committed between the two is seen.
        self.fixed = {
            *held.values_list("document_id", flat=True),
            *decided.values_list("document_id", flat=True),
        }
        self.created: list[Document] = []
        self.changed: dict[int, Document] = {}
        self.retexted: dict[int, str] = {}  # the digest of the earlier text
        self.placed: set[int] = set()

    def place(self, entry: RowMatch) -> None:
        """Give an entry its document, new or known, changed in memory; or its problem."""
        if before := self.seen.unsaved.get(hash(entry.key)):
            self._compare(entry, *before)
            return
        document = self.find(entry)
        if document is None:
            entry.document = Document(
                project=self.project,
                source=self.changes.source,
                external_id=entry.external_id or None,
                text=entry.text,
                sha256=entry.sha256,
                split_key=entry.split_key,
                meta=entry.meta,
            )
            entry.state = "created"
            self.created.append(entry.document)
            self._index(entry.document)
            return
        entry.document = document
        entry.repeats = (
            document.pk is None or document.pk in self.seen.documents or document.pk in self.placed
        )
        self.placed.add(document.pk)
        self._update(entry, document)

    def find(self, entry: RowMatch) -> Document | None:
        """Return the known document that an entry is about."""
        document = self.by_id.get(entry.external_id)
        if document is None:
            document = self.by_text.get(entry.sha256)
            # A text that came without an id earlier takes the id on; with another id it is another document.
            if document is not None and entry.external_id and document.external_id:
                document = None
        return document

    def _compare(self, entry: RowMatch, text: int, labels: int | None, gold: bool) -> None:
        """Say of a row of a dry run what would become of it, were the earlier row's document there."""
        entry.repeats = True
        is_labelled = entry.answer is not None
        holds = is_labelled and (labels is None or (entry.gold and not gold))
        contradicts = is_labelled and not holds and labels != hash(entry.named.choice)
        if contradicts or text != hash(entry.sha256):
            entry.problem = contradiction()
        elif holds:
            entry.state = "updated"
            self.seen.note_unsaved(entry)

    def _index(self, document: Document) -> None:
        if document.external_id:
            self.by_id[document.external_id] = document
        self.by_text.setdefault(document.sha256, document)

    def _update(self, entry: RowMatch, document: Document) -> None:
        """Change a document as its row says, or say why not: an answer belongs to the text that was seen."""
        if document.sha256 != entry.sha256:
            if entry.repeats:
                entry.problem = contradiction()
            elif document.pk in self.fixed:
                entry.problem = _(
                    "The text of “%(id)s” has changed, but people have decided on the old one."
                ) % {"id": entry.external_id}
            elif entry.answer is None and document.annotations.exists():
                entry.problem = _("The text of “%(id)s” has changed, but it has an imported label.") % {
                    "id": entry.external_id
                }
            else:
                self.retexted[document.pk] = document.sha256
                self.changes.note(document, "text", document.text, entry.sha256)
                document.text, document.sha256, document.split_key = entry.text, entry.sha256, entry.split_key
                self._mark(entry, document)
        if entry.problem or entry.repeats:
            return
        if entry.external_id and not document.external_id:
            self.changes.note(document, "external_id", None, entry.external_id)
            document.external_id = entry.external_id
            self._index(document)
            self._mark(entry, document)
        merged = {**document.meta, **entry.meta}
        if merged != document.meta:
            self.changes.note_meta(document, merged)
            document.meta = merged
            self._mark(entry, document)

    def _mark(self, entry: RowMatch, document: Document) -> None:
        entry.state = "updated"
        self.changed[document.pk] = document

    def save_changes(self) -> None:
        """NB: a changed text keeps its lane: it may be in a queue, or in figures, already."""
        Document.objects.bulk_update(
            self.changed.values(), ["external_id", "text", "sha256", "split_key", "meta"], batch_size=200
        )
        forget_texts(self.retexted)


def forget_texts(digests: Mapping[int, str]) -> None:
    """Remove what was made of earlier texts; `digests` has the digest of each by its document's key."""
    stale = Prediction.objects.filter(document__in=digests)
    # In the order of their keys, as a worker writes new ones.
    list(stale.select_for_update().order_by("pk").values_list("pk"))
    stale.delete()
    Neighbourhood.objects.filter(document__in=digests).delete()
    vector_store.remove_unused(set(digests.values()))
    for project in set(Document.objects.filter(pk__in=digests).values_list("project", flat=True)):
        word_vectors.forget(project)


def contradiction() -> str:
    return _("An earlier row of this file says something else of the same document.")
