"""Where answers differ: the published model's from people's, and people's from each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations

from django.db.models import Count, Exists, OuterRef, Q

from annotate.models import (
    Annotation,
    OutOfFoldScore,
    Project,
)
from annotate.models.annotations import AnnotationQuerySet
from annotate.models.documents import Lane
from annotate.models.versions import Stage
from annotate.services.among import among
from annotate.services.documents import kept
from annotate.task_types.answers import labels_of
from training.types import Span

Choice = tuple[frozenset[str | int], frozenset[Span]]
COMPARED = 10_000  # of the newest answers, when labels that people take for each other are looked for


@dataclass(frozen=True, slots=True)
class Disagreements:
    """How many documents there are of each kind."""

    with_model: int
    among_annotators: int
    likely_errors: int

    @property
    def any(self) -> bool:
        return bool(self.with_model or self.among_annotators or self.likely_errors)


def count(project: Project) -> Disagreements:
    return Disagreements(
        len(with_model(project)), len(among_annotators(project)), len(likely_errors(project))
    )


def with_model(project: Project) -> list[int]:
    """Return the documents of both lanes that people answered otherwise than the model does.

    Of the holdout those whose decision by the published model is not anybody's answer; gold answers come
    before all others, and documents that the model is silent about are left out. Of the pool the model has
    learned what people said, so that it agrees there says nothing: what counts is what its folds say.
    """

    def find(keys: Collection[int] | None) -> set[int]:
        return _in_holdout(project, keys) | _out_of_fold(project, keys, disagrees=True)

    return kept.by_decisions("with_model", project, find)


def among_annotators(project: Project) -> list[int]:
    """Return the documents of either lane that were answered differently, and that no gold answer settles.

    Answers that came with a file count as an annotator's.
    """
    return kept.by_decisions("among_annotators", project, partial(_differently_answered, project))


def likely_errors(project: Project) -> list[int]:
    """Return the pool documents whose label is probably wrong, as folds say."""
    return kept.by_decisions("likely_errors", project, partial(_out_of_fold, project, is_suspect=True))


def _out_of_fold(project: Project, keys: Collection[int] | None, **wanted: bool) -> set[int]:
    """Return documents by what the published version's folds say, but for those decided on since."""
    decided = Annotation.objects.filter(document=OuterRef("document"))
    scores = OutOfFoldScore.objects.filter(
        _of(keys),
        Exists(decided.answered()),
        ~Exists(decided.filter(updated_at__gt=OuterRef("learned_at"))),
        project=project,
        version__stage=Stage.PUBLISHED,
        document__lane=Lane.POOL,
        **wanted,
    )
    return set(scores.values_list("document", flat=True))


def _of(keys: Collection[int] | None) -> Q:
    """Return which rows are of documents with some keys, or of all of them."""
    return Q() if keys is None else Q(document__in=among(keys))


def _in_holdout(project: Project, keys: Collection[int] | None) -> set[int]:
    answered = Annotation.objects.answered()
    # NB: asked from the answers, as there are fewer of them than predictions.
    asked = answered.filter(project=project, document__lane=Lane.HOLDOUT, document__prediction__isnull=False)
    compare = _by_spans if project.task_type.marks_text else _by_labels
    given: dict[int, list[tuple[bool, bool]]] = defaultdict(list)
    for document, is_gold, is_different in compare(asked.filter(_of(keys))):
        given[document].append((is_gold, is_different))
    found = set()
    for document, answers in given.items():
        gold = [is_different for is_gold, is_different in answers if is_gold]
        if all(gold or [is_different for _is_gold, is_different in answers]):
            found.add(document)
    return found


def _by_labels(asked: AnnotationQuerySet) -> Iterator[tuple[int, bool, bool]]:
    """Yield the document of each answer, whether it is gold, and whether the model says otherwise.

    NB: by two joins that are compared here. To look each answer up in the database takes far longer.
    """
    given = asked.answers("choices").labels
    predicted: dict[tuple[int, int, bool], set[int]] = defaultdict(set)
    columns = ("document_id", "pk", "is_gold", "document__prediction__said__label")
    for document, annotation, is_gold, label in asked.values_list(*columns):
        predicted[document, annotation, is_gold] |= set() if label is None else {label}
    for (document, annotation, is_gold), labels in predicted.items():
        yield document, is_gold, labels != set(given[annotation])


def _by_spans(asked: AnnotationQuerySet) -> Iterator[tuple[int, bool, bool]]:
    """Yield the same where people mark spans, of which a prediction has no rows."""
    said = asked.answers()
    columns = ("document_id", "pk", "is_gold", "document__prediction__answer")
    for document, annotation, is_gold, answer in asked.values_list(*columns):
        yield document, is_gold, not answer.same_choice(said[annotation])


def _differently_answered(project: Project, keys: Collection[int] | None) -> list[int]:
    answered = Annotation.objects.answered().filter(_of(keys), project=project)
    several = answered.values("document").annotate(answers=Count("pk")).filter(answers__gt=1)
    compared = answered.filter(document__in=several.values("document"))
    return [
        document
        for document, given in _given(project, compared).items()
        if not any(is_gold for is_gold, _choice in given)
        and any(choice != given[0][1] for _is_gold, choice in given)
    ]


def _given(project: Project, annotations: AnnotationQuerySet) -> dict[int, list[tuple[bool, Choice]]]:
    """Return for each document its answers, and whether each is gold.

    NB: in rows of plain values, as a project may have 100,000 answers.
    """
    said = annotations.answers(*project.task_type.answer_rows)
    given: dict[int, list[tuple[bool, Choice]]] = {}
    for document, annotation, is_gold in annotations.values_list("document_id", "pk", "is_gold"):
        given.setdefault(document, []).append((is_gold, said[annotation].choice))
    return given


@dataclass(frozen=True, slots=True)
class ConfusedLabels:
    """Labels that people disagree on, and on how many documents.

    Two where a document has one label; one where it has any number, of which some gave it and others did not.
    """

    labels: tuple[int, ...]
    documents: int


def most_confused(project: Project) -> ConfusedLabels | None:
    """Return what people disagree on most while they follow the present guidelines; None where on nothing.

    A gold answer settles its document.
    """
    current = Annotation.objects.answered().filter(
        project=project, guidelines_version=project.guidelines_version, annotator__is_machine=False
    )
    documents: dict[int, list[int]] = {}
    settled = set()
    for pk, document, is_gold in current.order_by("-pk").values_list("pk", "document", "is_gold")[:COMPARED]:
        documents.setdefault(document, []).append(pk)
        settled |= {document} if is_gold else set()
    several = [keys for document, keys in documents.items() if len(keys) > 1 and document not in settled]
    if not several:
        return None
    said = Annotation.objects.filter(pk__in=[pk for keys in several for pk in keys]).answers()
    counted = Counter[tuple[int, ...]]()
    for keys in several:
        given = [frozenset(map(int, labels_of(said[pk]))) for pk in keys]
        counted.update(_confused(given, in_pairs=project.task_type.task.exclusive))
    if not counted:
        return None
    labels, number = min(counted.items(), key=lambda one: (-one[1], one[0]))
    return ConfusedLabels(labels, number)


def _confused(given: list[frozenset[int]], *, in_pairs: bool) -> set[tuple[int, ...]]:
    """Return the pairs of labels that one document was given by different people, or else single labels."""
    found: set[tuple[int, ...]] = set()
    for one, other in combinations(given, 2):
        if in_pairs:
            found |= {tuple(sorted((a, b))) for a in one - other for b in other - one}
        else:
            found |= {(label,) for label in one ^ other}
    return found
