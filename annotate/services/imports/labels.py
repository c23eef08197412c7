"""Labels that come with rows. They are found by name or created, and kept as answers of "import"."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence

from django.contrib.auth.hashers import make_password
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from annotate import hotkeys
from annotate.models import Annotation, AnnotationLabel, AnnotationSpan, Decision, Label, Project, User
from annotate.models.annotations import Outcome, Source
from annotate.services import sentences
from annotate.services.imports.bulk_insert import insert
from annotate.services.imports.changes import Changes
from annotate.services.imports.matching import RowMatch, Seen, contradiction
from annotate.task_types import answers, label_names
from training.storable import printable, text_fault
from training.types import Answer, Json

MACHINE = "import"
CREATE, LEAVE = "create", "leave"
Choice = str | int
MOST_LABELS = 1000
LONGEST_NAME = 200


def machine_annotator() -> User:
    """Return the annotator whose answers come from files; nobody can log in as it."""
    user, _created = User.objects.get_or_create(
        username=MACHINE, is_machine=True, defaults={"password": make_password(None)}
    )
    return user


class ImportedLabels:
    """Finds, makes and keeps the labels of rows.

    `choices` says what becomes of a name that the project does not offer: `CREATE`, `LEAVE`, or the key of
    the label that it means. Of others `create` decides, but for one that looks like a label that is there.
    """

    def __init__(
        self, project: Project, *, gold: bool, create: bool, choices: Mapping[str, Choice] | None = None
    ) -> None:
        self.project, self.gold, self.create, self.choices = project, gold, create, choices or {}
        self.annotator: User | None = None
        self.labels: dict[str, Label] = {}
        # What rows of this chunk said, in tidy names and in keys: a file repeats the same few answers.
        self.resolved: dict[Answer, tuple[Answer, Answer, Sequence[str]]] = {}
        self.by_key: dict[int, Label] = {}
        self.folded: dict[str, str] = {}  # names by their form without case, to the first label that has it
        self.used = False
        self.made: list[int] = []  # keys of the labels that rows of this chunk made

    def load(self) -> None:
        """Read the labels anew; another transaction may have added or archived some."""
        self.labels, self.resolved, self.folded, self.made = {}, {}, {}, []
        self.by_key = {label.pk: label for label in self.project.labels.all()}
        for label in self.by_key.values():
            if into := self.by_key.get(label.merged_into_id or 0):
                self.labels[label.name] = into  # a file may still call it by its old name
                continue
            # One that was stored before names were tidied is found by its tidy name as well.
            self.labels.setdefault(label_names.tidy(label.name), label)
            self.labels[label.name] = label
            self.folded.setdefault(label_names.folded(label.name), label_names.tidy(label.name))

    def resolve(self, entry: RowMatch, named: Answer) -> None:
        """Give an entry its answer in the labels' keys, or say why it has none.

        A text is never dropped because of its labels: it goes in undecided, and they are told and counted.
        """
        if found := self.resolved.get(named):
            entry.named, entry.answer, entry.spellings = found
        else:
            self._resolve(entry, named)
        if entry.answer is not None and entry.answer.spans:
            entry.answer = answers.tidied(entry.answer, entry.text)
            entry.named = answers.tidied(entry.named, entry.text)
            if fault := self.project.task_type.text_fault(entry.answer, entry.text):
                entry.answer, entry.unfit = None, sentences.translated(fault)

    def _resolve(self, entry: RowMatch, named: Answer) -> None:
        meant = {name: self._meant(label_names.tidy(str(name))) for name in answers.labels_of(named)}
        wanted = list(dict.fromkeys(meant.values()))
        entry.named = answers.translated(named, meant)
        entry.unfit = self._fault(entry.named)
        if entry.unfit:
            return
        entry.spellings = self._alike(map(str, answers.labels_of(named)))
        entry.missing = [name for name in wanted if not self._is_offered(name)]
        if entry.missing:
            return
        marking = {str(span.label) for span in entry.named.spans}
        known = {name for name, label in self.labels.items() if label.of_spans}
        new = {name for name in marking if name not in self.labels and name not in entry.named.labels}
        entry.unfit = self.project.task_type.kind_fault(entry.named, known | new)
        if entry.unfit:
            return
        for name in wanted:
            if name not in self.labels:
                self._create(name, of_spans=self.project.task_type.has_kinds and name in marking)
        entry.answer = answers.translated(entry.named, {name: self.labels[name].pk for name in wanted})
        self.resolved[named] = entry.named, entry.answer, entry.spellings

    def _meant(self, name: str) -> str:
        """Return the name of the label that a name of the file was said to mean; itself for any other."""
        choice = self.choices.get(name)
        label = self.by_key.get(choice) if isinstance(choice, int) and name not in self.labels else None
        return label.name if label else name

    def _alike(self, names: Iterable[str]) -> list[str]:
        """Tell of each name that is not spelled as its label, or that another label has but for its case."""
        told = []
        for name in names:
            tidy = label_names.tidy(name)
            if tidy != name:
                shown = Truncator(label_names.revealed(name[: 2 * LONGEST_NAME])).chars(LONGEST_NAME)
                told.append(_("“%(spelling)s” is read as “%(name)s”.") % {"spelling": shown, "name": tidy})
            other = self.folded.get(label_names.folded(tidy), tidy)
            if other != tidy and tidy in self.labels:
                sentence = _("“%(name)s” and “%(other)s” differ in case or form only and are two labels.")
                told.append(sentence % {"name": tidy[:LONGEST_NAME], "other": other[:LONGEST_NAME]})
        return told

    def _fault(self, named: Answer) -> str:
        """Return why no document of the project can have an answer, with its labels, or an empty string."""
        names = sorted(map(str, answers.labels_of(named)))
        for name in names:
            if reason := text_fault(name):
                shown = printable(name[:LONGEST_NAME])
                return _("The label “%(name)s” %(reason)s.") % {"name": shown, "reason": reason}
        fault = self.project.task_type.fault(named)
        if not fault or not named.labels:
            return sentences.translated(fault)
        shown = ", ".join(f"“{name}”" for name in names)
        return f"{fault} {Truncator(shown).chars(LONGEST_NAME)}"

    def _is_offered(self, name: str) -> bool:
        """Tell whether a label can be chosen, or made where this import makes labels."""
        if known := self.labels.get(name):
            return known.archived_at is None
        looks_new = label_names.folded(name) not in self.folded
        wanted = self.choices.get(name, CREATE if self.create and looks_new else LEAVE)
        return wanted == CREATE and 0 < len(name) <= LONGEST_NAME and len(self.labels) < MOST_LABELS

    def _create(self, name: str, *, of_spans: bool) -> None:
        taken = [label.hotkey for label in self.labels.values() if not label.archived_at]
        last = self.project.labels.aggregate(last=Max("position"))["last"]
        self.labels[name] = Label.objects.create(
            project=self.project,
            name=name,
            position=0 if last is None else last + 1,
            hotkey=next(hotkeys.free(taken), ""),
            of_spans=of_spans,
        )
        self.made.append(self.labels[name].pk)
        self.folded.setdefault(label_names.folded(name), name)

    def annotate(self, entries: Sequence[RowMatch], seen: Seen, changes: Changes) -> None:
        """Keep the labels of entries whose documents are saved; an answer that changes keeps its history.

        Of rows about one document the first gold one holds, in whatever chunk it comes, else the first.
        """
        labelled = [entry for entry in entries if entry.answer is not None and entry.document]
        if not labelled:
            return
        self.used = True
        self.annotator = self.annotator or machine_annotator()
        documents = [entry.document.pk for entry in labelled if entry.document]
        annotations = Annotation.objects.filter(document__in=documents)
        labelled = self._not_here(labelled, annotations)
        own = annotations.filter(annotator=self.annotator).prefetch_related("choices", "spans")
        held = {annotation.document_id: annotation for annotation in own}
        golden: set[int] = set()
        if any(entry.gold for entry in labelled):
            others = annotations.filter(is_gold=True).exclude(annotator=self.annotator)
            golden = set(others.values_list("document_id", flat=True))
        said: dict[int, RowMatch] = {}
        fresh: list[RowMatch] = []
        for entry in labelled:
            assert entry.document is not None
            pk = entry.document.pk
            if entry.gold and pk in golden:
                entry.problem = _("The document has a gold answer of a person already.")
            elif pk in said:
                if not _answer(said[pk]).same_choice(_answer(entry)):
                    # The row that holds is the one that is told to have added the document.
                    said[pk].state = "created" if entry.state == "created" else said[pk].state
                    entry.problem = contradiction()
            elif pk in held:
                is_same = held[pk].answer.same_choice(_answer(entry)) and held[pk].outcome == Outcome.ANSWERED
                if pk in seen.golden or (pk in seen.decided and not entry.gold):
                    entry.problem = "" if is_same else contradiction()
                    continue
                if held[pk].is_gold and not entry.gold:  # of an earlier import
                    entry.problem = "" if is_same else _("The document has a gold answer already.")
                    continue
                said[pk] = entry
                if not is_same or held[pk].is_gold != entry.gold:
                    changes.note(entry.document, "answer", standing(held[pk]), _said(entry))
                    self._replace(held[pk], entry)
            else:
                said[pk] = entry
                fresh.append(entry)
                changes.note(entry.document, "answer", None, _said(entry))
                entry.state = "updated" if entry.state == "unchanged" else entry.state
            entry.decided = not entry.problem
        self._add(fresh)

    def recall(self, entries: Sequence[RowMatch]) -> None:
        """Mark the entries, of rows that were stored already, whose answer is the one of their document."""
        labelled = {entry.document.pk for entry in entries if entry.answer is not None and entry.document}
        own = Annotation.objects.answered().filter(
            document__in=labelled, annotator__username=MACHINE, annotator__is_machine=True
        )
        held = {annotation.document_id: annotation for annotation in own.prefetch_related("choices", "spans")}
        for entry in entries:
            annotation = held.get(entry.document.pk) if entry.document and entry.answer is not None else None
            entry.decided = annotation is not None and annotation.answer.same_choice(_answer(entry))
            entry.gold = entry.gold and annotation is not None and annotation.is_gold

    @staticmethod
    def _not_here(labelled: Sequence[RowMatch], annotations: QuerySet[Annotation]) -> list[RowMatch]:
        """Leave out what our own export says of decisions that are here; gold answers come first.

        People's decisions are never changed by a file, and are not to be doubled by one either.
        """
        names = {entry.annotator for entry in labelled} - {"", MACHINE}
        people = annotations.filter(annotator__username__in=names) if names else annotations.none()
        here = set(people.values_list("document_id", "annotator__username"))
        left = [e for e in labelled if e.document and (e.document.pk, e.annotator) not in here]
        return sorted(left, key=lambda entry: not entry.gold)

    def _replace(self, annotation: Annotation, entry: RowMatch) -> None:
        Decision.objects.create(
            annotation=annotation, card=uuid.uuid4(), outcome=annotation.outcome, answer=annotation.answer
        )
        annotation.outcome, annotation.is_gold = Outcome.ANSWERED, entry.gold  # it may have been withdrawn
        annotation.save()
        annotation.say(_answer(entry))
        entry.state = "updated"

    def _add(self, entries: Sequence[RowMatch]) -> None:
        assert self.annotator is not None
        now = timezone.now()
        shared = {
            "project_id": self.project.pk,
            "annotator_id": self.annotator.pk,
            "outcome": Outcome.ANSWERED.value,
            "source": Source.IMPORT.value,
            "guidelines_version": self.project.guidelines_version,
            "created_at": now,
            "updated_at": now,
        }
        own = [(entry.document.pk, entry.gold) for entry in entries if entry.document]
        keys = insert(Annotation, own, ["document_id", "is_gold"], shared)
        self._choose(list(zip(keys, entries, strict=True)))

    @staticmethod
    def _choose(pairs: Sequence[tuple[int, RowMatch]]) -> None:
        choices = [
            (annotation, label)
            for annotation, entry in pairs
            for label in sorted(map(int, _answer(entry).labels))
        ]
        insert(AnnotationLabel, choices, ["annotation_id", "label_id"], {})
        spans = [
            (annotation, span.label, span.start, span.end)
            for annotation, entry in pairs
            for span in sorted(_answer(entry).spans, key=lambda span: int(span.label))
        ]
        insert(AnnotationSpan, spans, ["annotation_id", "label_id", "start", "end"], {})


def standing(annotation: Annotation) -> dict[str, Json]:
    """Return an annotation as a change of an import keeps it; its answer is fetched beforehand."""
    return _kept(annotation.answer, outcome=annotation.outcome, gold=annotation.is_gold)


def said_by(kept: Mapping[str, Json]) -> Answer:
    """Return the answer of an annotation as a change of an import keeps it."""
    return Answer.load({name: kept[name] for name in ("labels", "spans") if name in kept})


def _said(entry: RowMatch) -> dict[str, Json]:
    return _kept(_answer(entry), outcome=Outcome.ANSWERED.value, gold=entry.gold)


def _kept(answer: Answer, **beside: Json) -> dict[str, Json]:
    """Return an answer and what stands beside it as JSON, in one order whoever gave it."""
    labels = tuple(sorted(map(int, answer.labels)))
    spans = tuple(sorted(answer.spans, key=lambda span: (span.start, span.end, int(span.label))))
    return {**Answer(labels, spans).dump(), **beside}


def _answer(entry: RowMatch) -> Answer:
    assert entry.answer is not None
    return entry.answer
