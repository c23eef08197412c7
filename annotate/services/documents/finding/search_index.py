"""The search index: a job moves texts, and what stands beside them, into it and removes what was deleted."""

from __future__ import annotations

import time

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from annotate.models import Document, FoldedText, Import, Project, UnindexedText
from annotate.services.documents.finding import metadata_index
from training.types import ProgressCallback

CHUNK = 500  # texts of one transaction
PAUSE_SECONDS = 0.01  # between two transactions, so that others get their turn
SLICE_SECONDS = 20.0  # after these a job gives way to others
MERGED_PAGES = 200  # of SQLite's index, that one transaction merges
MOST_LOOKED_THROUGH = 20_000  # texts that no index holds and that a search looks through, the newest ones


def exists() -> bool:
    """Say if the database could make its index: an extension may be missing or not be allowed."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE name = 'search_text'")
        else:
            cursor.execute("SELECT count(to_regclass('search_text_trigrams'))")
        (found,) = cursor.fetchone()
    return bool(found)


def oldest_unindexed(project: Project) -> int | None:
    """Return the key of the oldest document whose text is still to be looked through; None if none is."""
    newest = project.unindexed_texts.order_by("-document").values_list("document", flat=True)
    edge = list(newest[MOST_LOOKED_THROUGH - 1 : MOST_LOOKED_THROUGH])
    return edge[0] if edge else newest.reverse().first()


def passed_over(project: Project) -> int:
    """Return how many texts neither the index nor a look through the newest ones can find by now."""
    return max(0, project.unindexed_texts.count() - MOST_LOOKED_THROUGH)


def waiting() -> QuerySet[Project]:
    """Return the projects with texts to index; one whose import goes on will have more and is left alone."""
    texts = UnindexedText.objects.filter(project=OuterRef("pk"))
    importing = Import.objects.live().filter(project=OuterRef("pk"))
    return Project.objects.filter(Exists(texts), ~Exists(importing), deleted_at=None)


def index(*, project: Project, tell: ProgressCallback) -> bool:
    """Move texts into the index for a while, the oldest first; return whether all of them are there."""
    deadline = time.monotonic() + SLICE_SECONDS
    while _move(project):
        left = deadline - time.monotonic()
        tell("index", 1.0 - max(0.0, left) / SLICE_SECONDS)
        if left < 0:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


@transaction.atomic
def _move(project: Project) -> int:
    """Move the next texts. Their rows are locked, so that one that changes now is not moved as it was."""
    # NB: whoever removes documents of a project holds its row, too.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    rows = project.unindexed_texts.select_for_update().order_by("document")
    texts = dict(rows.values_list("document", "text")[:CHUNK])
    # NB: by keys alone, as SQLite would rather walk through all documents of the project.
    there = Document.objects.filter(pk__in=texts).values_list("pk", "project", "meta")
    FoldedText.objects.bulk_create(FoldedText(pk=pk, text=texts[pk]) for pk, _project, _meta in there)
    if metadata_index.exists():
        metadata_index.write(there)
    UnindexedText.objects.filter(pk__in=texts).delete()
    return len(texts)


def forget_deleted(*, tell: ProgressCallback) -> None:
    """Remove what the index still holds of texts that were deleted.

    SQLite only marks their trigrams as deleted until it merges the parts of its index, which may be never,
    and leaves them in its log until that is written anew. PostgreSQL removes them when it vacuums the table.
    """
    if not metadata_index.exists():  # which is there where the index of texts is
        return
    for table in ("search_text", "metadata_entries"):
        # NB: a negative number begins to merge all parts into one; positive ones go on with that.
        is_merging = _merge(table, -MERGED_PAGES)
        while is_merging:
            tell("index", 0.5)
            time.sleep(PAUSE_SECONDS)
            is_merging = _merge(table, MERGED_PAGES)
    if not connection.in_atomic_block:  # where it would be refused
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _merge(table: str, pages: int) -> bool:
    """Merge so many pages of one of SQLite's indexes; return whether there was something to merge."""
    with connection.cursor() as cursor:
        before = connection.connection.total_changes
        cursor.execute(f"INSERT INTO {table}({table}, rank) VALUES ('merge', %s)", [pages])
        changes: int = connection.connection.total_changes - before
    return changes >= 2  # the statement itself is one
