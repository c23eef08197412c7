"""The index of metadata that SQLite has: which documents have a key, and which have it with a value.

It holds short digests of what stands beside a text, in postings that are far smaller than rows would be. The
job that moves texts into the search index writes it, a trigger on these texts removes what leaves it, and
whoever asks it compares what was written itself. PostgreSQL has an index of its own kind for the column.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db import connection
from django.db.models.expressions import RawSQL

from annotate.models import Document, Project, UnindexedText
from training.types import Json

MOST_LISTED = 50_000  # documents that are listed; where more have an entry, the newest are soon found
DIGEST_BYTES = 8
# NB: beyond that a number is no longer told from its neighbours, and SQLite takes no larger integers.
LARGEST = 2**53

TABLE = """CREATE VIRTUAL TABLE metadata_entries USING fts5(
    entries, tokenize='ascii', detail='none', columnsize=0
)"""
TRIGGER = """CREATE TRIGGER metadata_entries_deleted AFTER DELETE ON annotate_foldedtext BEGIN
    DELETE FROM metadata_entries WHERE rowid = old.document_id;
END"""


def exists() -> bool:
    """Say if the database has this index: PostgreSQL needs none, and an SQLite may be built without FTS5."""
    if connection.vendor != "sqlite":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE name = 'metadata_entries'")
        (found,) = cursor.fetchone()
    return bool(found)


def write(documents: Iterable[tuple[int, int, Json]]) -> None:
    """Write documents that are not in the index: the key of each, its project's, and its metadata."""
    rows = [
        (pk, " ".join(_entries(project, meta))) for pk, project, meta in documents if isinstance(meta, dict)
    ]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO metadata_entries(rowid, entries) VALUES (%s, %s)", rows)


def write_all(*, chunk: int = 5000) -> None:
    """Write what stands beside all documents whose texts are in the search index."""
    last = 0
    indexed = Document.objects.filter(folded__isnull=False).order_by("pk")
    while rows := list(indexed.filter(pk__gt=last).values_list("pk", "project", "meta")[:chunk]):
        write(rows)
        last = rows[-1][0]


def keys(project: Project, key: str, values: Sequence[Json]) -> RawSQL | None:
    """Return the keys of all documents that may have an entry, and of some that have not.

    None where there is no index or where too many documents have the entry to be listed.
    """
    if not exists():
        return None
    wanted = " OR ".join([_digest(project.pk, key, value) for value in values] or [_digest(project.pk, key)])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM metadata_entries WHERE metadata_entries MATCH %s LIMIT %s)",
            [wanted, MOST_LISTED + 1],
        )
        if cursor.fetchone()[0] > MOST_LISTED:
            return None
    unindexed = UnindexedText._meta.db_table
    return RawSQL(
        "SELECT rowid FROM metadata_entries WHERE metadata_entries MATCH %s"
        f" UNION ALL SELECT document_id FROM {unindexed} WHERE project_id = %s",
        [wanted, project.pk],
    )


def _entries(project: int, meta: Mapping[str, Json]) -> Iterator[str]:
    for key, value in meta.items():
        yield _digest(project, key)
        if not isinstance(value, dict | list):
            yield _digest(project, key, value)


def _digest(project: int, key: str, *value: Json) -> str:
    """Return the digest of a key, or of a key with a value; numbers that are equal have one, as 7 and 7.0.

    NB: larger numbers than those that a filter takes stay as they are: not all of them are a float.
    """
    alike = [
        float(one) + 0.0  # so that -0.0 is 0.0
        if isinstance(one, int | float) and not isinstance(one, bool) and abs(one) < LARGEST
        else one
        for one in value
    ]
    written = json.dumps([project, key, *alike]).encode()
    return hashlib.blake2b(written, digest_size=DIGEST_BYTES).hexdigest()
