"""Merging one label into another: its answers become answers with the other, a chunk at a time.

From the moment of the merge nobody can choose the label; what a page sends that still shows it counts as what
it became. Answers are changed by a worker, which goes on where another stopped: what is left to do are the
answers that still have a merged label.

A merge is taken back by restoring the label. The last decision of each answer still names it where nobody has
decided otherwise since: these get it again, and nothing but their history has to be remembered for that.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import (
    Annotation,
    AnnotationLabel,
    AnnotationSpan,
    Decision,
    HandedOnAnswer,
    Job,
    Label,
    ModelVersion,
    Project,
    User,
)
from annotate.models.annotations import KeptAnswers, Outcome
from annotate.models.events import EventKind
from annotate.models.jobs import JobKind
from annotate.services import events
from annotate.services.labeling import write_lock
from annotate.services.projects.refused import Refused
from annotate.services.work import jobs
from annotate.task_types.answers import labels_of, translated

CHUNK = 200  # answers of one transaction, so that an annotator who waits gets the lock in between
PAUSE_SECONDS = 0.02  # between two transactions, so that others get their turn
TURN_SECONDS = 20  # of one job, before it gives way to other work


@dataclass(frozen=True, slots=True)
class Use:
    """What a label is used for; `versions` are the numbers of the models that know it."""

    answers: int
    documents: int
    gold: int
    handed_on: int
    versions: tuple[int, ...]


def use_of(label: Label) -> Use:
    said = Annotation.objects.with_label(label.pk)
    waiting = HandedOnAnswer.objects.filter(project=label.project_id, settled_at=None)
    sent = waiting.values_list("answer", flat=True)
    known = ModelVersion.objects.filter(project=label.project_id).order_by("number")
    return Use(
        answers=said.count(),
        documents=said.values("document").distinct().count(),
        gold=said.filter(is_gold=True).count(),
        handed_on=sum(label.pk in labels_of(answer) for answer in sent),
        versions=tuple(n for n, labels in known.values_list("number", "label_ids") if label.pk in labels),
    )


def answers_with_both(label: Label, other: Label) -> int:
    return Annotation.objects.with_label(label.pk).with_label(other.pk).count()


def consequences(label: Label, into: Label) -> list[str]:
    """Say what a merge means before it is done. Raises `Refused` where it cannot be done."""
    _refuse_to_merge(label, into)
    use, names = use_of(label), {"name": label.name, "into": into.name}
    answers = ngettext(
        "%(n)s answer with “%(name)s” becomes an answer with “%(into)s”; %(gold)s of them is gold.",
        "%(n)s answers with “%(name)s”, on %(documents)s documents, become answers with “%(into)s”; "
        "%(gold)s of them are gold.",
        use.answers,
    )
    counts = {"n": f"{use.answers:,}", "documents": f"{use.documents:,}", "gold": f"{use.gold:,}"}
    told = [answers % (counts | names)]
    if both := answers_with_both(label, into):
        sentence = ngettext(
            "%(n)s answer has both labels and keeps “%(into)s” once.",
            "%(n)s answers have both labels and keep “%(into)s” once.",
            both,
        )
        told.append(sentence % (names | {"n": f"{both:,}"}))
    told.append(
        _(
            "“%(name)s” is no longer offered. Whoever has it on the screen may still choose it: their answer "
            "counts as “%(into)s”. A file, a program or a saved view that names it means “%(into)s”."
        )
        % names
    )
    if use.versions:
        sentence = _(
            "Versions that know “%(name)s” go on, and what they say of it reads “%(into)s”: %(versions)s. "
            "A model of the labels as they are then is trained, and cannot be compared with them."
        )
        told.append(sentence % (names | {"versions": ", ".join(map(str, use.versions))}))
    told.append(
        _(
            "The history of each answer keeps the old name. Restoring “%(name)s” takes the merge back, but "
            "for answers that are decided anew in between."
        )
        % names
    )
    return told


def consequences_of_return(label: Label) -> list[str]:
    """Say what taking back the merge of a label means before it is done."""
    number = len(_to_give_back(label))
    names = {"name": label.name, "n": f"{number:,}"}
    answers = ngettext(
        "%(n)s answer was given as “%(name)s” and is that again.",
        "%(n)s answers were given as “%(name)s” and are that again.",
        number,
    )
    return [
        answers % names,
        _("Answers that somebody has decided anew since the merge stay as they are."),
        _("“%(name)s” is offered again, and a model of the labels as they are then is trained.") % names,
    ]


@transaction.atomic
def merge(*, label: Label, into: Label, by: User | None = None) -> list[Job]:
    """Let one label be another from now on; return the job that changes its answers. Raises `Refused`."""
    project = Project.objects.select_for_update(no_key=True).get(pk=label.project_id)
    rows = {row.pk: row for row in Label.objects.filter(project=project, pk__in=[label.pk, into.pk])}
    label, into = rows.get(label.pk, label), rows.get(into.pk, into)
    _refuse_to_merge(label, into)
    kept = Annotation.objects.with_label(label.pk).count()
    Label.objects.filter(merged_into=label).update(merged_into=into)
    label.archived_at, label.merged_into = label.archived_at or timezone.now(), into
    label.is_returning = False
    label.save(update_fields=["archived_at", "is_returning", "merged_into"])
    events.record(
        EventKind.LABEL_MERGED,
        by=by,
        project=project,
        subject=label.name,
        into=into.name,
        annotations=kept,
    )
    return jobs.ask(kind=JobKind.MERGE, project=project)


def _refuse_to_merge(label: Label, into: Label) -> None:
    if label.pk == into.pk or label.project_id != into.project_id:
        raise Refused(_("Choose another label of this project to merge “%(name)s” into.") % {"name": label})
    if label.of_spans != into.of_spans:
        raise Refused(_("A label of documents and one of pieces of the text cannot become one label."))
    if label.merged_into_id:
        raise Refused(_("“%(name)s” was merged already.") % {"name": label.name})
    if into.archived_at:
        raise Refused(_("“%(name)s” is archived. Restore it first, or choose another.") % {"name": into.name})


def waiting() -> QuerySet[Project]:
    """Return the projects with answers that still have a merged label, as one sent during a merge may.

    Those too whose labels wait for answers that were taken from them.
    """
    chosen = Exists(AnnotationLabel.objects.filter(label=OuterRef("pk")))
    marked = Exists(AnnotationSpan.objects.filter(label=OuterRef("pk")))
    merged = Label.objects.filter(chosen | marked, merged_into__isnull=False)
    waiting = Q(pk__in=merged.values("project")) | Q(labels__is_returning=True)
    return Project.objects.standing().filter(waiting).distinct()


def move(*, project: Project, tell: Callable[[float], None] = lambda done: None) -> bool:
    """Give answers back, and change those with merged labels, for a while; True where none is left.

    NB: in this order, as a change looks at what history says, which has to be known under its old names.
    """
    until = time.monotonic() + TURN_SECONDS
    if not all(_give_back(label, until) for label in project.labels.filter(is_returning=True)):
        return False
    total = left = _left(project).count()
    while left and time.monotonic() < until:
        tell(1 - left / total)
        with _locked(project):
            _change(project, set(_left(project).values_list("pk", flat=True)[:CHUNK]))
        left = _left(project).count()
        time.sleep(PAUSE_SECONDS)
    return not left


@contextmanager
def _locked(project: Project) -> Iterator[None]:
    """Let nobody else write to a project: its lock comes first, as in all that takes several."""
    with write_lock.in_turn():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        yield


def _left(project: Project) -> QuerySet[Annotation]:
    """Return the annotations that still have a label which was merged into another."""
    merged = Label.objects.filter(project=project, merged_into__isnull=False).values("pk")
    chosen = AnnotationLabel.objects.filter(label__in=merged).values("annotation")
    marked = AnnotationSpan.objects.filter(label__in=merged).values("annotation")
    return Annotation.objects.filter(Q(pk__in=chosen) | Q(pk__in=marked))


def _lock(annotations: Collection[int]) -> QuerySet[Annotation]:
    """Lock annotations in the order of their keys.

    NB: a decision locks its annotation before its labels, and so does this. One that somebody revises at this
    moment is left for later, never waited for: they may wait for the project.
    """
    rows = Annotation.objects.filter(pk__in=annotations).order_by("pk")
    return rows.select_for_update(no_key=True, skip_locked=True, of=("self",))


def _change(project: Project, annotations: Collection[int]) -> None:
    """Give answers what their merged labels became."""
    keys = list(_lock(annotations).values_list("pk", flat=True))
    became = Label.objects.successors(project.pk)
    said = Annotation.objects.filter(pk__in=keys).answers()
    _keep_history(keys, said, became)
    for kind, known in (
        (AnnotationLabel, {(key, label) for key, labels in said.labels.items() for label in labels}),
        (AnnotationSpan, {(key, span) for key, spans in said.spans.items() for span in spans}),
    ):
        _rename(kind, keys, known, became)


def _rename(
    kind: type[AnnotationLabel | AnnotationSpan],
    keys: Collection[int],
    known: set[tuple[int, Any]],
    became: Mapping[int, int],
) -> None:
    """Give the rows of merged labels what these became; a row that is there already is not doubled."""
    renamed: dict[int, list[int]] = defaultdict(list)
    doubled = []
    for row in kind.objects.filter(annotation__in=keys, label__in=became).order_by("pk"):
        row.label_id = into = became[row.label_id]
        if (row.annotation_id, row.said) in known:
            doubled.append(row.pk)
        else:
            known.add((row.annotation_id, row.said))
            renamed[into].append(row.pk)
    kind.objects.filter(pk__in=doubled).delete()
    for into, rows in sorted(renamed.items()):
        kind.objects.filter(pk__in=rows).update(label=into)


def _keep_history(keys: Collection[int], said_now: KeptAnswers, became: Mapping[int, int]) -> None:
    """Keep what answers say as a decision where none says it: an import keeps one only once it changes.

    One that says it but for names that were merged before is enough, and keeps these.
    """
    newest = Decision.objects.filter(annotation__in=keys).values("annotation").annotate(newest=Max("pk"))
    said = dict(Decision.objects.filter(pk__in=newest.values("newest")).values_list("annotation", "answer"))
    rows = Annotation.objects.answered().filter(pk__in=keys).only("outcome", "reason", "seconds")
    Decision.objects.bulk_create(
        Decision(
            annotation=row,
            card=uuid.uuid4(),
            outcome=row.outcome,
            answer=said_now[row.pk],
            reason=row.reason,
            seconds=row.seconds,
        )
        for row in rows
        if row.pk not in said
        or not translated(said[row.pk], became).same_choice(translated(said_now[row.pk], became))
    )


def _to_give_back(label: Label) -> list[int]:
    """Return the answers whose last decision names a label that they have no longer."""
    naming = set[int]()
    decisions = Decision.objects.filter(annotation__project=label.project_id).order_by("pk")
    for annotation, answer in decisions.values_list("annotation", "answer").iterator():
        (naming.add if label.pk in labels_of(answer) else naming.discard)(annotation)
    naming -= set(Annotation.objects.with_label(label.pk).values_list("pk", flat=True))
    answered = Annotation.objects.answered().filter(project=label.project_id).values_list("pk", flat=True)
    return sorted(naming.intersection(answered))


def _give_back(label: Label, until: float) -> bool:
    """Give a label its answers again for a while; True where none is left."""
    left, held = _to_give_back(label), set[int]()
    while left and time.monotonic() < until:
        with _locked(label.project):
            became = Label.objects.successors(label.project_id)
            rows = list(_lock(left[:CHUNK]).select_related("document", "project"))
            for row in rows:
                _say_again(row, label, became)
        held |= set(left[:CHUNK]) - {row.pk for row in rows}
        left = left[CHUNK:]
        time.sleep(PAUSE_SECONDS)
    if left or held:
        return False
    Label.objects.filter(pk=label.pk).update(is_returning=False)
    return True


def _say_again(row: Annotation, label: Label, became: Mapping[int, int]) -> None:
    """Let an annotation say what its last decision says, unless that is about another text by now."""
    newest = row.decisions.order_by("-pk").first()
    if row.outcome != Outcome.ANSWERED or newest is None or label.pk not in labels_of(newest.answer):
        return
    answer = translated(newest.answer, became)
    if not row.project.task_type.text_fault(answer, row.document.text):
        row.say(answer)
