"""Lists of documents that are kept, and brought up to date by what was decided since."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection

import pytest
from django.core.cache import cache
from django.utils import timezone

from annotate.models import Annotation, Document, Project, User
from annotate.services.documents import disagreements, filters, kept
from tests.annotate.made.answered import answer, predict

Add = Callable[..., list[Document]]


def looks(project: Project, documents: Collection[Document]) -> list[Collection[int] | None]:
    """Return what a list was asked about by three looks, of which the last comes after a decision."""
    asked: list[Collection[int] | None] = []

    def find(keys: Collection[int] | None) -> list[int]:
        asked.append(keys)
        return [document.pk for document in documents if keys is None or document.pk in keys]

    first = kept.by_decisions("test", project, find)
    assert first == kept.by_decisions("test", project, find) == sorted(document.pk for document in documents)
    Annotation.objects.filter(document=documents[0]).update(updated_at=timezone.now())
    assert kept.by_decisions("test", project, find) == first
    return asked


def test_only_what_was_decided_on_since_is_looked_at_again(
    project: Project, annotator: User, add_documents: Add
) -> None:
    documents = add_documents(project, "one", "two", "three")
    for document in documents:
        answer(document, annotator, "red")
    # The newest decision of the first look is among them, as another one may bear the same moment.
    everything, again = looks(project, documents)
    assert everything is None
    assert again is not None
    assert documents[0].pk in again
    assert documents[1].pk not in again


def test_where_much_was_decided_on_everything_is(
    project: Project, annotator: User, add_documents: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_CHANGED", 0)
    documents = add_documents(project, "one", "two")
    for document in documents:
        answer(document, annotator, "red")
    assert looks(project, documents) == [None, None]


@pytest.mark.parametrize("seed", range(3))
def test_after_any_decisions_the_list_is_what_a_look_at_everything_finds(
    project: Project, annotator: User, lead: User, add_documents: Add, seed: int
) -> None:
    rng = random.Random(seed)
    documents = add_documents(project, *(f"text {number}" for number in range(12)))
    for document in documents[:6]:
        predict(document, rng.choice(["red", "blue"]))
    Document.objects.filter(pk__in=[document.pk for document in documents[:6]]).update(
        lane="holdout", half="tuning"
    )
    for _turn in range(25):
        document, by = rng.choice(documents), rng.choice([annotator, lead])
        Annotation.objects.filter(document=document, annotator=by).delete()
        answer(document, by, rng.choice(["red", "blue"]))
        found = disagreements.with_model(project), disagreements.among_annotators(project)
        cache.clear()
        assert found == (disagreements.with_model(project), disagreements.among_annotators(project))


def test_documents_without_a_prediction_are_kept_but_what_came_or_was_predicted_since_is_seen(
    project: Project, add_documents: Add
) -> None:
    def lacking() -> set[str]:
        return {document.text for document in filters.find(project, {"predicted": "no"})}

    first, second = add_documents(project, "first", "second")
    assert lacking() == {"first", "second"}
    predict(first, "red")
    assert lacking() == {"second"}
    add_documents(project, "third")
    assert lacking() == {"second", "third"}
    second.delete()
    assert lacking() == {"third"}


def test_too_many_documents_without_a_prediction_are_not_listed(
    project: Project, add_documents: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_UNPREDICTED", 2)
    add_documents(project, "one", "two")
    assert kept.unpredicted(project) is not None
    add_documents(project, "three")
    assert kept.unpredicted(project) is None
    assert filters.find(project, {"predicted": "no"}).count() == 3


def test_counts_of_a_large_project_are_kept_for_a_while(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"documents": 2}
    assert kept.counts("test", project, lambda: found) == (found, False)
    assert kept.counts("test", project, lambda: {"documents": 3}) == ({"documents": 3}, False)
    monkeypatch.setattr(kept, "LARGE", 1)
    assert kept.counts("test", project, lambda: found) == (found, True)
    assert kept.counts("test", project, lambda: {"documents": 3}) == (found, True)
