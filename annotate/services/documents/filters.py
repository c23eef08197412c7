"""The filters of the documents page: the one table that the page, its form and links to it ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT
from django.utils.translation import gettext_lazy as _

from annotate.models import Annotation, AnnotationLabel, Document, Prediction, Project
from annotate.models.annotations import Outcome
from annotate.models.documents import Half, Lane
from annotate.services.documents import disagreements, search, similar

NOT_DECIDED = "none"


class Kind(Enum):
    """What a filter's value is, where it is not one of a fixed list."""

    TEXT = "text"
    SWITCH = "switch"  # on, or not there
    LABEL = "label"  # the key of one of the project's labels
    PERSON = "person"  # the key of somebody who works or worked on the project
    IMPORT = "import"  # the key of one of the project's imports
    DOCUMENT = "document"  # the key of a document that others are compared with
    PHRASE = "phrase"  # what documents are compared with


@dataclass(frozen=True, slots=True)
class Filter:
    """One way to narrow documents down.

    `meaning` says which documents fit a value. Where `of_annotation` is set it says which annotations do; a
    document then fits that has one annotation which fits all such filters at once. A filter that is not
    `is_shown` is set by links of other pages only.
    """

    title: Any
    values: Kind | list[tuple[Any, Any]]
    meaning: Callable[[Project, Any], Q]
    of_annotation: bool = False
    is_shown: bool = True


def _answered(label: int | None = None) -> Exists:
    answers = Annotation.objects.answered().filter(document=OuterRef("pk"))
    return Exists(answers.filter(choices__label=label) if label is not None else answers)


def _decided(label: int) -> Exists:
    # No containment in JSON is known to both databases, so the labels are searched as text. NB: SQLite writes
    # them as [1,2], PostgreSQL as [1, 2].
    predictions = Prediction.objects.filter(document=OuterRef("pk")).annotate(labels=KT("answer__labels"))
    return Exists(predictions.filter(labels__regex=rf"[\[ ,]{label:d}[\],]"))


def _labelled(label: int) -> Exists:
    return Exists(AnnotationLabel.objects.filter(annotation=OuterRef("pk"), label=label))


FILTERS = {
    "q": Filter(
        _("Text or external id"),
        Kind.TEXT,
        search.meaning,
    ),
    "lane": Filter(_("Lane"), Lane.choices, lambda project, lane: Q(lane=lane)),
    "half": Filter(_("Half"), Half.choices, lambda project, half: Q(half=half), is_shown=False),
    "outcome": Filter(
        _("Outcome"),
        [*Outcome.choices, (NOT_DECIDED, _("Not decided on"))],
        lambda project, outcome: Q(outcome=outcome),
        of_annotation=True,
    ),
    "label": Filter(
        _("Annotated as"), Kind.LABEL, lambda project, label: Q(_labelled(label)), of_annotation=True
    ),
    "decided": Filter(_("Predicted as"), Kind.LABEL, lambda project, label: Q(_decided(label))),
    "annotator": Filter(
        _("Annotator"), Kind.PERSON, lambda project, person: Q(annotator=person), of_annotation=True
    ),
    "import": Filter(_("Added by the import"), Kind.IMPORT, lambda project, upload: Q(source=upload)),
    "disagree": Filter(
        _("Holdout only: no annotator answered as the model does"),
        Kind.SWITCH,
        lambda project, _on: Q(pk__in=disagreements.with_model(project)),
    ),
    "split": Filter(
        _("Either lane: annotators disagree with each other"),
        Kind.SWITCH,
        lambda project, _on: Q(pk__in=disagreements.among_annotators(project)),
    ),
    "late": Filter(
        _("Answered by more people than wanted: a late answer"),
        Kind.SWITCH,
        lambda project, _on: Q(pk__in=project.annotations.late_doubles().values("document")),
    ),
    "missed": Filter(
        _("Annotated as this, not predicted"),
        Kind.LABEL,
        lambda project, label: Q(_answered(label), ~_decided(label), prediction__isnull=False),
        is_shown=False,
    ),
    "wrong": Filter(
        _("Predicted as this, annotated otherwise"),
        Kind.LABEL,
        lambda project, label: Q(_answered(), ~_answered(label), _decided(label)),
        is_shown=False,
    ),
    "similar": Filter(_("Most like document"), Kind.DOCUMENT, similar.near_document, is_shown=False),
    "like": Filter(_("Nearest in meaning to"), Kind.PHRASE, similar.near_phrase, is_shown=False),
}


def find(project: Project, wanted: Mapping[str, Any]) -> QuerySet[Document]:
    """Return the documents that fit the values by filter name."""
    documents: QuerySet[Document] = project.documents.all()
    annotations, asks_annotations = Annotation.objects.filter(document=OuterRef("pk")), False
    is_undecided = wanted.get("outcome") == NOT_DECIDED
    for name, value in wanted.items():
        narrow = FILTERS[name]
        if not narrow.of_annotation:
            documents = documents.filter(narrow.meaning(project, value))
        elif not is_undecided:
            annotations, asks_annotations = annotations.filter(narrow.meaning(project, value)), True
    if is_undecided:
        return documents.filter(~Exists(annotations))
    return documents.filter(Exists(annotations)) if asks_annotations else documents


def query(**wanted: Any) -> str:
    """Return the query string of a link to the documents that fit; an unknown filter is a `KeyError`."""
    return urlencode({name: value for name, value in wanted.items() if FILTERS[name]})
