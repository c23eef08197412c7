"""One meaning of a search for both databases; what fits is compared with a plain reference in Python."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from annotate.models import Document, FoldedText, Project, UnindexedText, User
from annotate.models.documents import fold
from annotate.services.documents import filters, orders, pages
from annotate.services.documents.finding import search, search_index
from annotate.services.imports.upsert import IncomingDocument, store_rows

Add = Callable[..., list[Document]]


def found(project: Project, text: str) -> set[str]:
    """Search, and once more with every text in the index: it makes no difference."""
    before, _all = look(project, text), search_index.index(project=project, tell=lambda stage, done: None)
    assert look(project, text) == before
    return before


def look(project: Project, text: str) -> set[str]:
    """Search by the filter, and by listings in both directions: they find the same."""
    documents = filters.find(project, {"q": text})
    keys = sorted(document.pk for document in documents)
    for name, listed in (("imported", keys), ("-imported", keys[::-1])):
        listing = filters.listing(project, {"q": text}, orders.Sorting(name))
        places = [orders.ListPlace(pk, pk) for pk in listed]
        assert listing.beginning(most=2, counted=3) == (places[:2], min(3, len(places)))
        for number, place in enumerate(places):
            assert listing.next_to(place, backwards=False, most=2) == places[number + 1 : number + 3]
            assert listing.next_to(place, backwards=True, most=2) == places[:number][::-1][:2]
    return {document.text for document in documents}


def test_the_index_alone_lists_what_it_finds_of_one_project(
    project: Project, make_project: Callable[[str], Project], add_documents: Add
) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL plans a search itself.")
    documents = add_documents(project, "plum tart", "apple tart", "plum cake")
    elsewhere = make_project("Elsewhere")
    add_documents(elsewhere, "plum jam")
    assert search.hit_listing(project, "plum", is_descending=True) is None  # not indexed yet
    for one in (project, elsewhere):
        assert search_index.index(project=one, tell=lambda stage, done: None)
    listing = search.hit_listing(project, "plum -cake", is_descending=True)
    assert listing is not None
    assert listing.beginning(most=5, counted=5) == ([orders.ListPlace(documents[0].pk, documents[0].pk)], 1)
    for beyond_it in ("pl", "-plum", "plum -ca"):
        assert search.hit_listing(project, beyond_it, is_descending=True) is None
    documents[1].external_id = "plum"
    documents[1].save()
    assert search_index.index(project=project, tell=lambda stage, done: None)
    assert search.hit_listing(project, "plum", is_descending=True) is None  # one more by its id


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Где моя доставка?", "ДОСТАВ"),
        ("ДОСТАВКА", "достав"),
        ("Ещё ёлка", "елка"),
        ("Crème brûlée", "creme BRULEE"),
        ("cre\u0300me", "crème"),
        ("Straße", "STRASSE"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("İstanbul", "istanbul"),
        ("ｆｕｌｌ width", "full"),
        ("东京都的天气", "东京都"),
        ("हिन्दी में", "हिन्दी"),
        ("so happy 😀😀", "😀"),
        ("heart ❤\ufe0f", "❤"),
        ("100% sure_thing", "0% e_t"),
        ("a\u00a0b\nc", '"a b c"'),
        ("a*b", "*"),
        ("back\\slash", "k\\s"),
        ("an apple and a pear", "pear apple"),
        ("an apple and a pear", '"apple and"'),
        ("an apple and a pear", "apple -plum"),
        ("an apple and a pear", "-plum"),
        ("an apple and a pear", '"apple and'),
        ("well-known", "well-known"),
        ("a - b", "-"),
        ('he said "no"', "said"),
        ("1; DROP TABLE x; --", "drop ;"),
        ("NEAR and OR", "near OR"),
    ],
)
def test_it_finds_what_contains_the_words(
    project: Project, add_documents: Add, text: str, query: str
) -> None:
    add_documents(project, text, "something else")
    assert text in found(project, query)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("an apple and a pear", "apple plum"),
        ("an apple and a pear", '"apple pear"'),
        ("an apple and a pear", "apple -pear"),
        ("an apple and a pear", '-"and a"'),
        ("an apple and a pear", "-a"),
        ("100 percent", "100%"),
        ("sure thing", "e_t"),
        ("abc", "a*c"),
        ("कि", "कु"),
        ("текст", "text"),
    ],
)
def test_it_leaves_out_what_does_not(project: Project, add_documents: Add, text: str, query: str) -> None:
    add_documents(project, text)
    assert found(project, query) == set()


def test_an_id_is_found_as_a_whole_and_only_in_its_project(
    make_project: Callable[..., Project], project: Project
) -> None:
    store_rows(project=project, rows=[IncomingDocument("one", external_id="AB-12")])
    store_rows(project=make_project("other"), rows=[IncomingDocument("two", external_id="AB-12")])
    assert found(project, "AB-12") == {"one"}
    assert found(project, "AB-1") == set()
    assert found(project, "two") == set()


def fits(text: str, query: search.SearchQuery) -> bool:
    folded = fold(text)
    return all(term in folded for term in query.wanted) and not any(term in folded for term in query.unwanted)


LETTERS = st.text(st.sampled_from('abAB éÉßдДёıİﬁ%_*\\"-😀1 \n'), min_size=1, max_size=8)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(LETTERS, min_size=1, max_size=6), query=LETTERS)
@example(texts=["abab"], query="aba -bab")
def test_it_finds_what_a_plain_look_at_every_text_finds(
    project: Project, texts: list[str], query: str
) -> None:
    with transaction.atomic():
        rows = [IncomingDocument(text) for text in texts]
        store_rows(project=project, rows=rows)
        parsed = search.parse(query)
        if not parsed.fault:
            stored = set(project.documents.values_list("text", flat=True))
            assert found(project, query) == {text for text in stored if fits(text, parsed)}
        transaction.set_rollback(True)


@given(st.text())
def test_a_text_is_folded_one_character_at_a_time(text: str) -> None:
    assert fold(text) == "".join(fold(character) for character in text)
    assert fold(fold(text)) == fold(text)
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@given(st.text(), LETTERS)
def test_the_marked_parts_are_the_text(text: str, query: str) -> None:
    parts = search.marked(text, search.parse(query))
    assert "".join(part for part, _ in parts) == text


@pytest.mark.parametrize(
    ("text", "query", "marks"),
    [
        ("Ещё ЕЛКА", "елка", ["ЕЛКА"]),
        ("cre\u0300me", "cre", ["cre\u0300"]),
        ("die Straße", "sse", ["ße"]),
        ("aaa", "aa", ["aa"]),
        ("one two", 'two "one"', ["one", "two"]),
        ("abcd", "abc bcd", ["abcd"]),
        ("<b>x</b>", "<b>", ["<b>"]),
        ("nothing", "-not", []),
    ],
)
def test_it_marks_what_was_found(text: str, query: str, marks: list[str]) -> None:
    parts = search.marked(text, search.parse(query))
    assert [part for part, is_hit in parts if is_hit] == marks


def test_a_long_text_has_a_limited_number_of_marks() -> None:
    parts = search.marked("ab " * 1_000_000, search.parse("a"))
    assert sum(is_hit for _, is_hit in parts) == search.MOST_MARKS


def are_folded() -> bool:
    texts = dict(Document.objects.values_list("pk", "text"))
    kept = [*FoldedText.objects.values_list("pk", "text"), *UnindexedText.objects.values_list("pk", "text")]
    return sorted(kept) == sorted((pk, fold(text)) for pk, text in texts.items())


def test_every_writer_keeps_the_folded_text(project: Project) -> None:
    store_rows(project=project, rows=[IncomingDocument("Éins", external_id="1"), IncomingDocument("Zwö")])
    assert are_folded()
    store_rows(project=project, rows=[IncomingDocument("Ärger", external_id="1")])
    assert are_folded()
    assert (found(project, "eins"), found(project, "arger")) == (set(), {"Ärger"})
    store_rows(project=project, rows=[IncomingDocument("dry", external_id="2")], dry_run=True)
    assert are_folded()
    Document.objects.bulk_create([Document(project=project, text="Drei", sha256="3", lane="pool")])
    assert are_folded()
    single = Document.objects.create(project=project, text="Vier", sha256="4", lane="pool")
    single.text = "Fünf"
    single.save()
    assert are_folded()
    assert (found(project, "vier"), found(project, "funf")) == (set(), {"Fünf"})
    project.documents.all().delete()
    assert not FoldedText.objects.exists()
    assert not UnindexedText.objects.exists()
    assert found(project, "arger") == set()


def test_the_index_is_there_after_all_migrations(db: None) -> None:
    assert search_index.exists()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'annotate_foldedtext'"
            )
            triggers = {name for (name,) in cursor.fetchall()}
        of_texts = {"search_text_inserted", "search_text_deleted", "search_text_updated"}
        assert triggers == of_texts | {"metadata_entries_deleted"}


def test_a_migration_goes_on_where_the_index_may_not_be_made(
    project: Project, add_documents: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration, editor = (
        import_module("annotate.migrations.0037_search"),
        SimpleNamespace(connection=connection),
    )
    migration.drop_index(None, editor)
    for name in ("SQLITE", "POSTGRESQL"):
        monkeypatch.setattr(migration, name, ["CREATE EXTENSION there_is_no_such_extension"])
    migration.make_index(None, editor)
    assert not search_index.exists()
    add_documents(project, "Crème")
    assert found(project, "CREME") == {"Crème"}


def test_the_index_of_sqlite_agrees_with_its_table(project: Project) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps its index itself.")
    store_rows(project=project, rows=[IncomingDocument(f"Text {n}", external_id=str(n)) for n in range(50)])
    store_rows(project=project, rows=[IncomingDocument(f"New {n}", external_id=str(n)) for n in range(20)])
    project.documents.filter(external_id="7").delete()
    assert search_index.index(project=project, tell=lambda stage, done: None)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO search_text(search_text, rank) VALUES ('integrity-check', 1)")


@pytest.fixture
def page(sign_in: Callable[[User], Client], lead: User, project: Project) -> Callable[[str], str]:
    client = sign_in(lead)

    def page(query: str) -> str:
        response = client.get(reverse("documents", args=[project.slug]), {"q": query})
        assert response.status_code == 200
        return response.content.decode()

    return page


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ('""', "There is nothing to search for: type a word, or a phrase in quotes."),
        ('"""', "There is nothing to search for: type a word, or a phrase in quotes."),
        ("\u0301", "There is nothing to search for: type a word, or a phrase in quotes."),
        ("a" * 10_000, "Ensure this value has at most 1000 characters (it has 10000)."),
        ("a\x00b", "Null characters are not allowed."),
        ("a b c d e f g h i j k l m n o p q r s t u", "Search for at most 20 words at once"),
    ],
)
def test_what_cannot_be_searched_for_is_said(page: Callable[[str], str], query: str, sentence: str) -> None:
    assert sentence in page(query)


@pytest.mark.parametrize("query", ["*", "%", "_", "-", "'", "(", "^", ":", "a" * 1000, "\\", "NOT", "😀"])
def test_signs_are_letters(page: Callable[[str], str], query: str) -> None:
    assert "No document fits these filters." in page(query)


def test_hits_are_marked_and_stay_text(
    page: Callable[[str], str], project: Project, add_documents: Add
) -> None:
    add_documents(project, "<script>ALERT</script>", "nothing")
    html = page("alert")
    assert "&lt;script&gt;<mark>ALERT</mark>&lt;/script&gt;" in html
    assert "1 document fits." in html


def test_the_count_ends_at_a_limit(
    page: Callable[[str], str], project: Project, add_documents: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_COUNTED", 2)
    add_documents(project, "text 1", "text 2", "text 3")
    assert "2+ documents fit." in page("text")


def test_a_short_word_is_looked_for_in_the_newest_documents(
    page: Callable[[str], str], project: Project, add_documents: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "NEWEST", 2)
    add_documents(project, "abc 1", "abc 2")
    said = "Without a word of three letters or more, only the newest 2 documents are searched."
    assert said not in page("ab")
    add_documents(project, "abc 3")
    assert found(project, "ab") == {"abc 2", "abc 3"}
    assert found(project, "-1") == {"abc 2", "abc 3"}
    assert found(project, "ab abc") == {"abc 1", "abc 2", "abc 3"}
    assert said in page("ab")
    assert said not in page("ab abc")


def test_a_database_without_an_index_searches_the_newest_documents(
    page: Callable[[str], str], project: Project, add_documents: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "NEWEST", 2)
    monkeypatch.setattr(search_index, "exists", lambda: False)
    add_documents(project, "abc 1", "abc 2", "abc 3")
    assert found(project, "ABC") == {"abc 2", "abc 3"}
    assert "This database has no search index, so only the newest 2 documents are searched." in page("abc")
