"""The filters of the documents page: the one table that the page, its form and links to it ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, GreaterThan
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.models import (
    Annotation,
    AnnotationLabel,
    AnnotationSpan,
    Assignment,
    Comment,
    Document,
    Label,
    PredictedLabel,
    Prediction,
    Project,
)
from annotate.models.annotations import Outcome
from annotate.models.documents import Half, Lane
from annotate.services.among import among
from annotate.services.documents import disagreements, kept, orders
from annotate.services.documents.finding import metadata, search, similar
from annotate.services.documents.json_functions import HasLabel, LabelCount

NOT_DECIDED = "none"
TAKEN, CHANGED = "taken", "changed"
MOST_SEARCHED = 10_000  # documents that fit other filters and whose texts are looked through one by one
MOST_NAMED = 10_000  # documents that a page finds before it asks for its rows
MOST_LISTED = 50_000  # rows that a page lists to find their documents


class Kind(Enum):
    """What a filter's value is, where it is not one of a fixed list."""

    TEXT = "text"
    SWITCH = "switch"  # on, or not there
    LABEL = "label"  # the key of one of the project's labels
    PERSON = "person"  # the key of somebody who works or worked on the project
    IMPORT = "import"  # the key of one of the project's imports
    DOCUMENT = "document"  # the key of a document that others are compared with
    PHRASE = "phrase"  # what documents are compared with
    BATCH = "batch"  # the key of one of the project's batches
    DAY = "day"  # as 2026-11-30
    PERCENT = "percent"  # a number from 0 to 100
    ENTRY = "entry"  # a key of the metadata, or a key and its value


@dataclass(frozen=True, slots=True)
class Filter:
    """One way to narrow documents down.

    `meaning` says which documents fit a value. Where `of_annotation` is set it says which annotations do; a
    document then fits that has one annotation which fits all such filters at once. The form begins with those
    that are `is_first`; a filter that is not `is_shown` is set by links of other pages only. Values are plain
    JSON, so that they can be kept.
    """

    title: Any
    values: Kind | list[tuple[Any, Any]]
    meaning: Callable[[Project, Any], Q]
    of_annotation: bool = False
    is_shown: bool = True
    is_first: bool = False


def _with(rows: QuerySet[Any], key: str = "document", **of_project: Project) -> Q:
    """Return which documents have one of the rows; `of_project` says which rows are the project's.

    NB: SQLite knows nothing of how many there are. Of few it takes each and looks for its document; of many
    it takes the documents and stops at the end of the page, and must not go by the project there, of which
    it would read all rows for each document. The other way round either takes seconds. PostgreSQL knows, and
    may go by an index that begins with the project.
    """
    listed = rows.filter(**of_project)
    if connection.vendor != "sqlite":
        return Q(Exists(listed.filter(**{key: OuterRef("pk")})))
    keys = list(listed.values_list(key, flat=True)[: MOST_NAMED + 1])
    if len(keys) <= MOST_NAMED:
        return Q(pk__in=among(keys))
    if listed[: MOST_LISTED + 1].count() <= MOST_LISTED:
        return Q(pk__in=listed.values(key))
    return Q(Exists(rows.filter(**{key: OuterRef("pk")})))


def _unpredicted(project: Project) -> Q:
    listed = kept.unpredicted(project)
    return Q(prediction__isnull=True) if listed is None else Q(pk__in=among(listed))


def _predicted(project: Project, **wanted: float) -> Q:
    return _with(Prediction.objects.filter(**wanted), project=project)


def _decided(label: int) -> QuerySet[PredictedLabel]:
    return PredictedLabel.objects.filter(label=label)


def _missed(project: Project, label: int) -> Q:
    """Return documents that were answered with a label, and of which the model says something else."""
    said = _decided(label).filter(prediction=OuterRef("document"))
    answers = Annotation.objects.answered().with_label(label)
    predicted = Prediction.objects.filter(document=OuterRef("document"))
    return _with(answers.filter(Exists(predicted), ~Exists(said)), project=project)


def _wrong(project: Project, label: int) -> Q:
    """Return documents that the model gives a label, and that were answered, but never with it."""
    said = _decided(label).filter(prediction=OuterRef("document"))
    answers = Annotation.objects.answered()
    # NB: not as a join, of which SQLite would read all answers with the label for each document.
    chosen = AnnotationLabel.objects.filter(annotation=OuterRef("pk"), label=label)
    marked = AnnotationSpan.objects.filter(annotation=OuterRef("pk"), label=label)
    same = answers.filter(Exists(chosen) | Exists(marked), document=OuterRef("document"))
    return _with(answers.filter(Exists(said), ~Exists(same)), project=project)


def _midnight(day: str, *, days: int = 0) -> datetime:
    return timezone.make_aware(datetime.fromisoformat(day)) + timedelta(days=days)


def _suggested(project: Project, *, is_taken: bool) -> Q:
    """Return which annotations took the suggestion as it was shown, or else changed it."""
    if project.task_type.marks_text:
        return Q(pk__in=_with_spans_taken(project, is_taken=is_taken))
    choices = AnnotationLabel.objects.filter(annotation=OuterRef("pk")).order_by().values("annotation")
    shown = choices.filter(Q(HasLabel(OuterRef("shown"), F("label_id"))))
    # NB: counted, as PostgreSQL would compare the labels of all answers to ask for one that is not there.
    counts = [Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n")), 0) for rows in (choices, shown)]
    same = Q(*(Exact(LabelCount(F("shown")), count) for count in counts))
    compared = Q(outcome=Outcome.ANSWERED, shown__isnull=False)
    if project.task_type.task.exclusive:  # of which a suggestion without a label is none
        compared &= Q(GreaterThan(LabelCount(F("shown")), 0))
    return compared & (same if is_taken else ~same)


def _with_spans_taken(project: Project, *, is_taken: bool) -> list[int]:
    compared = Annotation.objects.answered().filter(project=project, shown__isnull=False)
    said = compared.answers()
    return [
        key
        for key, shown in compared.values_list("pk", "shown")
        if shown is not None and said[key].same_choice(shown) == is_taken
    ]


FILTERS = {
    "q": Filter(
        _("Text or external id"),
        Kind.TEXT,
        search.meaning,
        is_first=True,
    ),
    "lane": Filter(_("Lane"), Lane.choices, lambda project, lane: Q(lane=lane), is_first=True),
    "half": Filter(_("Half of the holdout"), Half.choices, lambda project, half: Q(half=half)),
    "outcome": Filter(
        _("Outcome"),
        [*Outcome.choices, (NOT_DECIDED, _("Not decided on"))],
        lambda project, outcome: Q(outcome=outcome),
        of_annotation=True,
        is_first=True,
    ),
    "label": Filter(
        _("Annotated as"),
        Kind.LABEL,
        lambda project, label: (
            Q(pk__in=Annotation.objects.with_label(label).values("pk"))
            if project.task_type.has_kinds
            else Q(**{f"{project.task_type.answer_rows[0]}__label": label})
        ),
        of_annotation=True,
        is_first=True,
    ),
    "decided": Filter(
        _("Predicted as"),
        Kind.LABEL,
        lambda project, label: _with(_decided(label), "prediction"),
        is_first=True,
    ),
    "annotator": Filter(
        _("Annotator"),
        Kind.PERSON,
        lambda project, person: Q(annotator=person),
        of_annotation=True,
        is_first=True,
    ),
    "gold": Filter(
        _("Has a gold answer"), Kind.SWITCH, lambda project, _on: Q(is_gold=True), of_annotation=True
    ),
    "suggestion": Filter(
        _("Suggestion"),
        [(TAKEN, _("Was taken")), (CHANGED, _("Was changed"))],
        lambda project, what: _suggested(project, is_taken=what == TAKEN),
        of_annotation=True,
    ),
    "decided_from": Filter(
        _("Decided on from"),
        Kind.DAY,
        lambda project, day: Q(updated_at__gte=_midnight(day)),
        of_annotation=True,
    ),
    "decided_to": Filter(
        _("Decided on until"),
        Kind.DAY,
        lambda project, day: Q(updated_at__lt=_midnight(day, days=1)),
        of_annotation=True,
    ),
    "imported_from": Filter(
        _("Imported from"), Kind.DAY, lambda project, day: Q(created_at__gte=_midnight(day))
    ),
    "imported_to": Filter(
        _("Imported until"), Kind.DAY, lambda project, day: Q(created_at__lt=_midnight(day, days=1))
    ),
    "batch": Filter(
        _("Batch"),
        Kind.BATCH,
        lambda project, batch: _with(Assignment.objects.filter(batch=batch)),
    ),
    "meta": Filter(_("Metadata"), Kind.ENTRY, metadata.meaning),
    "commented": Filter(
        _("Has a comment"),
        Kind.SWITCH,
        lambda project, _on: _with(Comment.objects.all(), document__project=project),
    ),
    "predicted": Filter(
        _("Prediction"),
        [("yes", _("The model says something")), ("no", _("The model says nothing"))],
        lambda project, has_one: Q(prediction__isnull=False) if has_one == "yes" else _unpredicted(project),
    ),
    "conf_from": Filter(
        _("Confidence from (%)"),
        Kind.PERCENT,
        lambda project, percent: _predicted(project, confidence__gte=percent / 100),
    ),
    "conf_to": Filter(
        _("Confidence up to (%)"),
        Kind.PERCENT,
        lambda project, percent: _predicted(project, confidence__lte=percent / 100),
    ),
    "margin_from": Filter(
        _("Margin from (%)"),
        Kind.PERCENT,
        lambda project, percent: _predicted(project, margin__gte=percent / 100),
    ),
    "margin_to": Filter(
        _("Margin up to (%)"),
        Kind.PERCENT,
        lambda project, percent: _predicted(project, margin__lte=percent / 100),
    ),
    "import": Filter(_("Added by the import"), Kind.IMPORT, lambda project, upload: Q(source=upload)),
    "disagree": Filter(
        _("Either lane: people and the model disagree"),
        Kind.SWITCH,
        lambda project, _on: Q(pk__in=among(disagreements.with_model(project))),
    ),
    "label_error": Filter(
        _("Pool only, where a document has one label or spans: they are probably wrong"),
        Kind.SWITCH,
        lambda project, _on: Q(pk__in=among(disagreements.likely_errors(project))),
    ),
    "split": Filter(
        _("Either lane: annotators disagree with each other"),
        Kind.SWITCH,
        lambda project, _on: Q(pk__in=among(disagreements.among_annotators(project))),
    ),
    "late": Filter(
        _("Answered by more people than wanted: a late answer"),
        Kind.SWITCH,
        lambda project, _on: Q(pk__in=project.annotations.late_doubles().values("document")),
    ),
    "missed": Filter(
        _("Annotated as this, not predicted"),
        Kind.LABEL,
        _missed,
        is_shown=False,
    ),
    "wrong": Filter(
        _("Predicted as this, annotated otherwise"),
        Kind.LABEL,
        _wrong,
        is_shown=False,
    ),
    "similar": Filter(_("Most like document"), Kind.DOCUMENT, similar.near_document, is_shown=False),
    "like": Filter(_("Nearest in meaning to"), Kind.PHRASE, similar.near_phrase, is_shown=False),
}


def find(project: Project, wanted: Mapping[str, Any]) -> QuerySet[Document]:
    """Return the documents that fit the values by filter name.

    With "not decided on" those fit that have no annotation which fits the other filters of annotations, as
    those that one annotator has not decided on.
    """
    documents: QuerySet[Document] = project.documents.all()
    annotations, asks_annotations = Annotation.objects.all(), False
    is_undecided = wanted.get("outcome") == NOT_DECIDED
    became: Mapping[int, int] = {}
    if any(FILTERS[name].values == Kind.LABEL for name in wanted):
        became = Label.objects.successors(project.pk)
    for name, value in wanted.items():
        narrow = FILTERS[name]
        if narrow.values == Kind.LABEL:
            value = became.get(value, value)  # a bookmark or a saved view may name a merged label
        if name == "q" and len(wanted) > 1:
            continue
        if not narrow.of_annotation:
            documents = documents.filter(narrow.meaning(project, value))
        elif value != NOT_DECIDED:
            annotations, asks_annotations = annotations.filter(narrow.meaning(project, value)), True
    if is_undecided:
        documents = documents.filter(~Exists(annotations.filter(document=OuterRef("pk"))))
    elif asks_annotations:
        documents = documents.filter(_with(annotations, project=project))
    return _with_text(project, documents, wanted["q"]) if "q" in wanted and len(wanted) > 1 else documents


def _with_text(project: Project, documents: QuerySet[Document], text: str) -> QuerySet[Document]:
    """Return those of documents that fit other filters in whose texts something is found."""
    keys = list(documents.order_by().values_list("pk", flat=True)[: MOST_SEARCHED + 1])
    if len(keys) > MOST_SEARCHED:
        return documents.filter(search.meaning(project, text))
    return Document.objects.filter(search.meaning(project, text, within=keys), pk__in=among(keys))


def listing(project: Project, wanted: Mapping[str, Any], sorting: orders.Sorting) -> orders.Listing:
    """Return the documents that fit the values by filter name, in an order."""
    if wanted.keys() == {"q"} and sorting.is_by_key:
        hits = search.hit_listing(project, wanted["q"], is_descending=sorting.is_descending)
        if hits is not None:
            return hits
    return orders.listing(project, find(project, wanted), sorting, is_narrowed=bool(wanted))


def query(**wanted: Any) -> str:
    """Return the query string of a link to the documents that fit; an unknown filter is a `KeyError`."""
    return urlencode({name: value for name, value in wanted.items() if FILTERS[name]})
