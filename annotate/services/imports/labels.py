"""Labels that come with rows. They are found by name or created, and kept as answers of "import"."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.contrib.auth.hashers import make_password
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import hotkeys
from annotate.models import Annotation, AnnotationLabel, Decision, Label, Project, User
from annotate.models.annotations import Outcome, Source
from annotate.services.imports.bulk_insert import insert
from annotate.services.imports.matching import RowMatch, contradiction
from training.types import Answer

MACHINE = "import"
MOST_LABELS = 1000
LONGEST_NAME = 200


def machine_annotator() -> User:
    """Return the annotator whose answers come from files; nobody can log in as it."""
    user, _created = User.objects.get_or_create(
        username=MACHINE, is_machine=True, defaults={"password": make_password(None)}
    )
    return user


class ImportedLabels:
    def __init__(self, project: Project, *, gold: bool, create: bool) -> None:
        self.project, self.gold, self.create = project, gold, create
        self.annotator: User | None = None
        self.labels: dict[str, Label] = {}
        self.used = False

    def load(self) -> None:
        """Read the labels anew; another transaction may have added or archived some."""
        self.labels = {label.name: label for label in self.project.labels.all()}

    def resolve(self, named: Answer) -> tuple[Answer | None, str]:
        """Return an answer in names in the labels' keys, or the reason why the row cannot go in."""
        wanted = dict.fromkeys(map(str, named.labels))
        if problem := self.project.task_type.fault(Answer(tuple(wanted))):
            return None, problem
        for name in wanted:
            known = self.labels.get(name)
            if known and known.archived_at:
                return None, _("The label “%(name)s” is archived; restore it first.") % {"name": name}
            if known:
                continue
            if not name.strip() or len(name) > LONGEST_NAME:
                sentence = _("A label is empty or has more than %(most)s characters.")
                return None, sentence % {"most": LONGEST_NAME}
            if not self.create:
                return None, _("The project has no label “%(name)s”.") % {"name": name}
            if len(self.labels) >= MOST_LABELS:
                sentence = _("The project has %(most)s labels already; is this the right column?")
                return None, sentence % {"most": MOST_LABELS}
        for name in wanted:
            if name not in self.labels:
                taken = [label.hotkey for label in self.labels.values() if not label.archived_at]
                last = self.project.labels.aggregate(last=Max("position"))["last"]
                self.labels[name] = Label.objects.create(
                    project=self.project,
                    name=name,
                    position=0 if last is None else last + 1,
                    hotkey=next(hotkeys.free(taken), ""),
                )
        return Answer(tuple(self.labels[name].pk for name in wanted)), ""

    def annotate(self, entries: Sequence[RowMatch]) -> None:
        """Keep the labels of entries whose documents are saved; an answer that changes keeps its history."""
        labelled = [entry for entry in entries if entry.answer is not None and entry.document]
        if not labelled:
            return
        self.used = True
        self.annotator = self.annotator or machine_annotator()
        documents = [entry.document.pk for entry in labelled if entry.document]
        annotations = Annotation.objects.filter(document__in=documents)
        own = annotations.filter(annotator=self.annotator).prefetch_related("choices")
        held = {annotation.document_id: annotation for annotation in own}
        golden: set[int] = set()
        if self.gold:
            others = annotations.filter(is_gold=True).exclude(annotator=self.annotator)
            golden = set(others.values_list("document_id", flat=True))
        fresh: dict[int, RowMatch] = {}
        for entry in labelled:
            assert entry.document is not None
            pk = entry.document.pk
            if pk in golden:
                entry.problem = _("The document has a gold answer of a person already.")
            elif pk in fresh:
                entry.problem = "" if _answer(fresh[pk]).same_choice(_answer(entry)) else contradiction()
            elif pk not in held:
                fresh[pk] = entry
                entry.state = "updated" if entry.state == "unchanged" else entry.state
            else:
                has = Answer(tuple(choice.label_id for choice in held[pk].choices.all()))
                if not has.same_choice(_answer(entry)) or held[pk].is_gold != self.gold:
                    self._replace(held[pk], entry)
        self._add(list(fresh.values()))

    def _replace(self, annotation: Annotation, entry: RowMatch) -> None:
        if entry.repeats:
            entry.problem = contradiction()
            return
        before = Answer(tuple(sorted(choice.label_id for choice in annotation.choices.all())))
        Decision.objects.create(
            annotation=annotation, card=uuid.uuid4(), outcome=annotation.outcome, answer=before
        )
        annotation.choices.all().delete()
        annotation.is_gold = self.gold
        annotation.save()
        self._choose([(annotation.pk, entry)])
        entry.state = "updated"

    def _add(self, entries: Sequence[RowMatch]) -> None:
        assert self.annotator is not None
        now = timezone.now()
        shared = {
            "project_id": self.project.pk,
            "annotator_id": self.annotator.pk,
            "outcome": Outcome.ANSWERED.value,
            "source": Source.IMPORT.value,
            "is_gold": self.gold,
            "guidelines_version": self.project.guidelines_version,
            "created_at": now,
            "updated_at": now,
        }
        documents = [(entry.document.pk,) for entry in entries if entry.document]
        keys = insert(Annotation, documents, ["document_id"], shared)
        self._choose(list(zip(keys, entries, strict=True)))

    @staticmethod
    def _choose(pairs: Sequence[tuple[int, RowMatch]]) -> None:
        choices = [
            (annotation, label)
            for annotation, entry in pairs
            for label in sorted(map(int, _answer(entry).labels))
        ]
        insert(AnnotationLabel, choices, ["annotation_id", "label_id"], {})


def _answer(entry: RowMatch) -> Answer:
    assert entry.answer is not None
    return entry.answer
