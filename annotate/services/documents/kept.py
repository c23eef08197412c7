"""Lists of documents that take a look at all of a project to find: kept, and brought up to date at each look.

Somebody turns the pages of such a list while others label. So what was found is kept, and only the documents
that somebody decided on since are looked at again; after a minute all of them are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TypeVar

from django.core.cache import cache
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from annotate.models import Document, ModelVersion, Prediction, Project
from annotate.services.among import among

T = TypeVar("T")
SECONDS = 60
MOST_CHANGED = 2_000  # documents that are looked at again; where there are more, all are
MOST_UNPREDICTED = 10_000
LARGE = 100_000  # documents; PostgreSQL counts more of them than a page may take


def by_decisions(
    name: str, project: Project, find: Callable[[Collection[int] | None], Collection[int]]
) -> list[int]:
    """Return the keys of the documents that `find` finds, the lowest first.

    It is asked which of the documents with some keys fit, or which of all documents do where that is None.
    What it says may depend on decisions and on which version is published, and on little else.
    """
    state = _state(project)
    if state is None:
        return sorted(find(None))
    until, key = state[0].isoformat(), f"documents:{name}:{project.pk}:{state[1]}"
    found: list[int]
    if (kept := cache.get(key)) is not None:
        known_until, ends, found = kept
        if known_until == until:
            return found
        if (changed := _decided_on(project, known_until)) is not None:
            found = sorted(set(found).difference(changed).union(find(changed)))
            cache.set(key, [until, ends, found], max(0.0, ends - time.time()))
            return found
    found = sorted(find(None))
    cache.set(key, [until, time.time() + SECONDS, found], SECONDS)
    return found


def by_state(name: str, project: Project, find: Callable[[], T]) -> T:
    """Return what was found since the newest decision and publication; it has to be plain JSON.

    Where people decide all the time it is found anew at each look, so that it has to be quick by itself.
    """
    state = _state(project)
    if state is None:
        return find()
    key = f"documents:{name}:{project.pk}:{state[1]}:{state[0].isoformat()}"
    kept: list[T] | None = cache.get(key)
    if kept is None:
        kept = [find()]  # in a list, as nothing may be what was found
        cache.set(key, kept, SECONDS)
    return kept[0]


def counts(name: str, project: Project, count: Callable[[], dict[str, int]]) -> tuple[dict[str, int], bool]:
    """Return what was counted by name, and whether it may be a minute old, as it is in a large project.

    "documents" is to say how many documents there are.
    """
    key = f"documents:{name}:{project.pk}"
    found: dict[str, int] | None = cache.get(key)
    if found is None:
        found = count()
        if found["documents"] <= LARGE:
            return found, False
        cache.set(key, found, SECONDS)
    return found, True


def _state(project: Project) -> tuple[datetime, int | None] | None:
    """Return when the newest decision was made, and which version is published; None without a decision."""
    published = ModelVersion.objects.published().filter(project=OuterRef("project")).values("pk")
    newest = project.annotations.order_by("-updated_at").annotate(published=Subquery(published[:1]))
    return newest.values_list("updated_at", "published").first()


def _decided_on(project: Project, since: str) -> list[int] | None:
    """Return the documents with a decision of that moment or later; None where there are too many."""
    annotations = project.annotations.filter(updated_at__gte=datetime.fromisoformat(since))
    changed = list(annotations.values_list("document", flat=True)[: MOST_CHANGED + 1])
    return changed if len(changed) <= MOST_CHANGED else None


def unpredicted(project: Project) -> list[int] | None:
    """Return the documents without a prediction; None where there are too many to list.

    A prediction that was withdrawn may be missed for as long as the list is kept.
    """
    key = f"documents:unpredicted:{project.pk}"
    if (kept := cache.get(key)) is not None:
        last, known = kept
        # NB: by keys alone, as SQLite would rather walk through all documents of the project.
        parts = [Document.objects.filter(pk__in=among(known)), project.documents.filter(pk__gt=last)]
        found = [pk for documents in parts for pk in _without_prediction(documents)]
        return found if len(found) <= MOST_UNPREDICTED else None
    last = project.documents.order_by("-pk").values_list("pk", flat=True).first() or 0
    found = _without_prediction(project.documents.filter(pk__lte=last))
    if len(found) > MOST_UNPREDICTED:
        return None
    cache.set(key, [last, found], SECONDS)
    return found


def _without_prediction(documents: QuerySet[Document]) -> list[int]:
    """Return the keys of documents without a prediction, one more at most than are listed."""
    lacking = documents.filter(~Exists(Prediction.objects.filter(document=OuterRef("pk"))))
    return list(lacking.order_by("-pk").values_list("pk", flat=True)[: MOST_UNPREDICTED + 1])
