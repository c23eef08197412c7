"""Text search: what was typed, as a condition on documents and as the parts of a text to mark.

All words have to be in the text, a phrase "in quotes" as it stands, and a -word must not be. Case and
accents do not count. SQLite finds a word by an index of FTS5, PostgreSQL by one of pg_trgm. What no index can
find, as fewer than three characters, is looked for in a project's newest documents only. The newest texts
that are not in the index yet are looked through one by one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import Document, FoldedText, Project
from annotate.models.documents import FOLDED, fold
from annotate.services.among import among
from annotate.services.documents.finding import search_index
from annotate.services.documents.orders import ListPlace

LONGEST = 1000  # characters that are searched for
MOST_TERMS = 20
NEWEST = 20_000  # documents that are looked through where no index helps
MARKED_CHARS = 20_000  # of a text that is longer, only so much is marked
MOST_MARKS = 500
EXCERPT_CHARS = 320  # what fits into two lines of a wide table
LEAD_CHARS = 30  # of them before the hit, so that it stands in the first line on a phone too

TERM = re.compile(r'(-?)(?:"([^"]*)(?:"|$)|([^\s"]+))')
# PostgreSQL's index holds letters and digits only.
THREE_LETTERS = re.compile(r"[^\W_]{3}")


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a text has to contain and must not contain, folded."""

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...]

    @property
    def fault(self) -> str:
        """Why nothing can be searched for, or an empty string."""
        if not self.wanted and not self.unwanted:
            return _("There is nothing to search for: type a word, or a phrase in quotes.")
        if len(self.wanted) + len(self.unwanted) > MOST_TERMS:
            return ngettext(
                "Search for at most %(n)d word at once, or put the phrase in quotes.",
                "Search for at most %(n)d words at once, or put the phrase in quotes.",
                MOST_TERMS,
            ) % {"n": MOST_TERMS}
        return ""


def parse(text: str) -> SearchQuery:
    terms: dict[str, list[str]] = {"": [], "-": []}
    for sign, phrase, word in TERM.findall(text):
        folded = fold(phrase or word)
        if folded.strip():
            terms[sign].append(folded)
    return SearchQuery(tuple(dict.fromkeys(terms[""])), tuple(dict.fromkeys(terms["-"])))


def _by_index(query: SearchQuery) -> list[str]:
    """Return the words that the index finds."""
    if connection.vendor == "sqlite":
        found = [term for term in query.wanted if len(term) >= 3]
    else:
        found = [term for term in query.wanted if THREE_LETTERS.search(term)]
    return found if found and search_index.exists() else []


def oldest_searched(project: Project, query: SearchQuery) -> int | None:
    """Return the key of the oldest document that is looked at, or None where all of them are."""
    if _by_index(query):
        return None
    newest = project.documents.order_by("-pk").values_list("pk", flat=True)
    edge = list(newest[NEWEST - 1 : NEWEST + 1])
    return edge[0] if len(edge) == 2 else None


def note(project: Project, text: str) -> str:
    """Return what the page has to say of a search that does not look at all documents."""
    if oldest_searched(project, parse(text)) is not None:
        if not search_index.exists():
            reason = _("This database has no search index, so only the newest %(n)s documents are searched.")
        else:
            reason = _(
                "Without a word of three letters or more, only the newest %(n)s documents are searched."
            )
        return reason % {"n": f"{NEWEST:,}"}
    if number := search_index.passed_over(project):
        return ngettext(
            "%(n)s document is not in the search index yet and was not searched; try again in a few minutes.",
            "%(n)s documents are not in the search index yet and were not searched; try again in a few "
            "minutes.",
            number,
        ) % {"n": f"{number:,}"}
    return ""


def meaning(project: Project, text: str, within: Collection[int] | None = None) -> Q:
    """Return which documents fit: those that contain what is wanted, and the one whose id was typed.

    Where they are `within` few documents, by their keys, each of these is looked at, as an index would find
    many others first.
    """
    query = parse(text)
    looked_at = Q() if within is None else Q(pk__in=among(within))
    if (oldest := oldest_searched(project, query)) is not None:
        looked_at &= Q(pk__gte=oldest)
    words = _by_index(query) if within is None and connection.vendor == "sqlite" else []
    if (edge := search_index.oldest_unindexed(project)) is None:
        found = looked_at & _indexed(query, words, "folded__")
    else:
        indexed = FoldedText.objects.filter(looked_at & _indexed(query, words, ""), document__project=project)
        others = project.unindexed_texts.filter(
            looked_at & _contains(query.wanted, query.unwanted, ""), pk__gte=edge
        )
        found = Q(pk__in=indexed.values("pk").union(others.values("pk"), all=True))
    # NB: asked beforehand, as an OR would keep both databases from using an index.
    named = project.documents.filter(external_id=text).values_list("pk", flat=True).first()
    return found if named is None else found | Q(pk=named)


def _indexed(query: SearchQuery, words: Collection[str], prefix: str) -> Q:
    """Return what holds of a text that the index has, of whose `words` SQLite's is asked.

    `prefix` leads from the rows to the text.
    """
    found = _contains([term for term in query.wanted if term not in words], query.unwanted, prefix)
    if words:
        rows = RawSQL("SELECT rowid FROM search_text WHERE search_text MATCH %s", [_match(words)])
        found &= Q(pk__in=rows)
    return found


def _match(words: Iterable[str]) -> str:
    return " AND ".join(map(_quoted, words))


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'


def _contains(wanted: Iterable[str], unwanted: Iterable[str], prefix: str) -> Q:
    name = f"{prefix}text__contains"
    found = Q()
    for term in wanted:
        found &= Q(**{name: term})
    for term in unwanted:
        found &= ~Q(**{name: term})
    return found


@dataclass(frozen=True, slots=True)
class HitListing:
    """What SQLite's index finds, by the keys of documents.

    NB: as part of a condition on documents the index is read to its end and its hits are sorted before the
    first of them is there: 95 ms for a word that is in every tenth of a million texts, 5 ms in this way.
    """

    project: Project
    query: SearchQuery
    is_descending: bool

    def next_to(self, place: ListPlace | None, *, backwards: bool, most: int) -> list[ListPlace]:
        is_falling = self.is_descending != backwards
        # NB: CROSS JOIN is in the order in which it is written; else all documents would be walked through.
        statement = (
            f"SELECT found.rowid FROM search_text found CROSS JOIN {Document._meta.db_table} document"
            " ON document.id = found.rowid WHERE search_text MATCH %s AND document.project_id = %s"
        )
        unwanted = "".join(f" NOT {_quoted(term)}" for term in self.query.unwanted)
        params: list[int | str] = [f"({_match(self.query.wanted)}){unwanted}", self.project.pk]
        if place is not None:
            statement += f" AND found.rowid {'<' if is_falling else '>'} %s"
            params.append(place.pk)
        statement += f" ORDER BY found.rowid {'DESC' if is_falling else 'ASC'} LIMIT %s"
        with connection.cursor() as cursor:
            cursor.execute(statement, [*params, most])
            return [ListPlace(pk, pk) for (pk,) in cursor.fetchall()]

    def beginning(self, *, most: int, counted: int) -> tuple[list[ListPlace], int]:
        found = self.next_to(None, backwards=False, most=max(most, counted))
        return found[:most], min(counted, len(found))


def hit_listing(project: Project, text: str, *, is_descending: bool) -> HitListing | None:
    """Return what was typed as a listing by key; None where the index alone does not find all of it."""
    query = parse(text)
    is_indexed = query.wanted and all(len(term) >= 3 for term in (*query.wanted, *query.unwanted))
    if connection.vendor != "sqlite" or not is_indexed or not search_index.exists():
        return None
    is_left = project.unindexed_texts.exists() or project.documents.filter(external_id=text).exists()
    return None if is_left else HitListing(project, query, is_descending)


def marked(text: str, query: SearchQuery) -> list[tuple[str, bool]]:
    """Return a text in parts, each with whether it is a hit; together they are the text."""
    parts, done = [], 0
    for start, end in _spans(text, query):
        parts += [(text[done:start], False), (text[start:end], True)]
        done = end
    return [part for part in [*parts, (text[done:], False)] if part[0]]


def excerpt(text: str, query: SearchQuery) -> list[tuple[str, bool]]:
    """Return the part of a text around its first hit, as `marked` does; its beginning where there is none."""
    start = max(0, _first_hit(text, query) - LEAD_CHARS)
    if start:  # at a word's beginning, where one begins before the hit
        blank = text.find(" ", start, start + LEAD_CHARS)
        start = blank + 1 if blank >= 0 else start
    part = text[start : start + EXCERPT_CHARS]
    before = [("…", False)] if start else []
    behind = [("…", False)] if start + len(part) < len(text) else []
    return [*before, *marked(part, query), *behind]


def _first_hit(text: str, query: SearchQuery) -> int:
    """Return where the first hit lies in the part of a text that is marked; 0 where none does."""
    head = text[:MARKED_CHARS]
    folded = fold(head)
    found = min((place for term in query.wanted if (place := folded.find(term)) >= 0), default=0)
    done = 0
    for place, character in enumerate(head):
        done += len(FOLDED[ord(character)])
        if done > found:
            return place
    return 0


def _spans(text: str, query: SearchQuery) -> list[tuple[int, int]]:
    """Return where the hits lie in a text, in order, joined where they touch."""
    head = text[:MARKED_CHARS]
    origins = [place for place, character in enumerate(head) for _ in FOLDED[ord(character)]]
    folded = fold(head)
    joined: list[tuple[int, int]] = []
    hits = sorted(hit for term in query.wanted for hit in _hits(folded, term))
    for first, behind in hits:
        start, end = origins[first], origins[behind - 1] + 1
        while end < len(head) and not FOLDED[ord(head[end])]:  # an accent belongs to its letter
            end += 1
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif len(joined) == MOST_MARKS:
            break
        else:
            joined.append((start, end))
    return joined


def _hits(folded: str, term: str) -> Iterator[tuple[int, int]]:
    place = folded.find(term)
    while place >= 0:
        yield place, place + len(term)
        place = folded.find(term, place + len(term))
