"""What lies next to a place, in every order: compared with all documents, sorted as a list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from annotate.models import Annotation, Document, ModelVersion, Prediction, Project, User
from annotate.services.documents import orders
from annotate.services.documents.orders import CHOICES, Listing, ListPlace, Sorting
from training.types import Answer

NOON = datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC)
NAMES = [name for name, _title in CHOICES]


@pytest.fixture
def documents(
    project: Project,
    make_project: Callable[..., Project],
    add_documents: Callable[..., list[Document]],
    annotator: User,
    lead: User,
) -> list[Document]:
    """Documents with equal values and with none, among those of another project."""
    made = []
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=1, holdout_documents=0, calibrated=True
    )
    other = make_project("shapes")
    # The confidence, the margin, and the minutes at which two people decided.
    rows: list[tuple[float | None, float | None, list[int]]] = [
        (0.5, 0.1, [3]),
        (None, None, []),
        (1.0, 0.1, [5, 1]),
        (0.5, 0.0, [5]),
        (0.0, 0.9, []),
        (None, None, [2, 2]),
        (0.5, 0.1, []),
        (0.1234, 0.3, [4, 9]),
    ]
    for i, (confidence, margin, decided) in enumerate(rows):
        for place in (project, other):
            (document,) = add_documents(place, f"{'x' * (i % 3)} text {i}")
            if confidence is not None or i == 1:  # one whose version is not calibrated
                Prediction.objects.create(
                    document=document,
                    version=version,
                    answer=Answer(),
                    confidence=confidence,
                    margin=margin,
                )
            for person, minute in zip((annotator, lead), decided, strict=False):
                annotation = Annotation.objects.create(
                    project=place, document=document, annotator=person, outcome="skipped"
                )
                moment = NOON + timedelta(minutes=minute)
                Annotation.objects.filter(pk=annotation.pk).update(updated_at=moment)
        made.append(project.documents.latest("pk"))
    return made


@pytest.mark.parametrize(
    ("task", "calibrated", "expected"),
    [("single", True, (0.75, 0.5)), ("single", False, (None, None)), ("multi", True, (None, None))],
)
def test_the_migration_takes_what_stored_scores_say(
    make_project: Callable[..., Project],
    add_documents: Callable[..., list[Document]],
    task: str,
    calibrated: bool,
    expected: tuple[float | None, float | None],
) -> None:
    project = make_project("stored", task=task)
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=1, holdout_documents=0, calibrated=calibrated
    )
    (document,) = add_documents(project, "a text")
    answer = Answer((1,), scores=((1, 0.75), (2, 0.25))).told(calibrated=calibrated)
    Prediction.objects.create(document=document, version=version, answer=answer)
    import_module("annotate.migrations.0052_table_orders").fill(apps, connection.schema_editor())
    found = Prediction.objects.get()
    assert (found.confidence, found.margin) == expected
    assert found.project == project


def _value(document: Document, name: str) -> Any:
    if name == "decided":
        return max((row.updated_at for row in document.annotations.all()), default=None)
    if name in ("confidence", "margin"):
        found = Prediction.objects.filter(document=document).first()
        return getattr(found, name) if found else None
    return len(document.text) if name == "length" else document.pk


def _expected(documents: list[Document], sorting: Sorting) -> list[int]:
    name = sorting.name.removeprefix("-")
    rows = [(_value(document, name), document.pk) for document in documents]
    valued = sorted((row for row in rows if row[0] is not None), reverse=sorting.is_descending)
    lacking = sorted((row for row in rows if row[0] is None), key=lambda row: -row[1])
    return [pk for _value, pk in [*valued, *lacking]]


def _walked(listing: Listing, most: int) -> list[ListPlace]:
    """Walk a list from its beginning, so many documents a time."""
    found: list[ListPlace] = []
    while more := listing.next_to(found[-1] if found else None, backwards=False, most=most):
        found += more
    return found


@pytest.fixture(params=["an index", "a list"])
def listing_of(request: pytest.FixtureRequest, project: Project) -> Callable[[Sorting], Listing]:
    if request.param == "an index":
        return lambda sorting: orders.listing(project, project.documents.all(), sorting, is_narrowed=False)
    narrowed = project.documents.filter(lane="pool")
    return lambda sorting: orders.listing(project, narrowed, sorting, is_narrowed=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("most", [1, 3, 8])
def test_every_order_is_walked_forth_without_gap_or_repeat(
    documents: list[Document], listing_of: Callable[[Sorting], Listing], name: str, most: int
) -> None:
    sorting = Sorting(name)
    found, expected = _walked(listing_of(sorting), most), _expected(documents, sorting)
    assert [place.pk for place in found] == expected
    beginning, hits = listing_of(sorting).beginning(most=most, counted=5)
    assert ([place.pk for place in beginning], hits) == (expected[:most], 5)
    assert listing_of(sorting).beginning(most=most, counted=100)[1] == len(expected)


@pytest.mark.parametrize("name", NAMES)
def test_from_every_place_the_way_back_is_the_way_forth(
    documents: list[Document], listing_of: Callable[[Sorting], Listing], name: str
) -> None:
    sorting = Sorting(name)
    listing, expected = listing_of(sorting), _expected(documents, sorting)
    for i, pk in enumerate(expected):
        place = sorting.place_of(Document.objects.get(pk=pk))
        assert sorting.read(sorting.write(place)) == place
        back = listing.next_to(place, backwards=True, most=100)
        assert [other.pk for other in back] == expected[:i][::-1]
        forth = listing.next_to(place, backwards=False, most=100)
        assert [other.pk for other in forth] == expected[i + 1 :]


@pytest.mark.parametrize("name", NAMES)
def test_where_many_fit_a_filter_the_index_is_walked_past_those_that_do_not(
    documents: list[Document], project: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "MOST_SORTED", 2)
    narrowed = project.documents.filter(pk__in=[document.pk for document in documents[::2]])
    listing = orders.listing(project, narrowed, Sorting(name), is_narrowed=True)
    assert isinstance(listing, orders.WalkedListing)
    assert [place.pk for place in _walked(listing, 3)] == _expected(documents[::2], Sorting(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_place_outside_a_filter_has_neighbours_inside(
    documents: list[Document], project: Project, name: str
) -> None:
    sorting = Sorting(name)
    narrowed = project.documents.filter(pk__in=[document.pk for document in documents[::2]])
    listing = orders.listing(project, narrowed, sorting, is_narrowed=True)
    expected = _expected(documents, sorting)
    fitting = {document.pk for document in documents[::2]}
    for document in documents[1::2]:
        at = expected.index(document.pk)
        found = listing.next_to(sorting.place_of(document), backwards=False, most=1)
        assert [place.pk for place in found] == [pk for pk in expected[at:] if pk in fitting][:1]


@pytest.mark.parametrize("text", ["", "x", "_", "1_", "_x", "nan_1", "inf_1", "1e999_1", "\0", "٣", "9" * 30])
def test_a_text_that_names_no_place_is_refused(text: str) -> None:
    for name in NAMES:
        with pytest.raises(ValueError):  # noqa: PT011 (of `int`, `float` and our own)
            Sorting(name).read(text)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the planner of PostgreSQL looks at the rows")
@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("length", "document_length"),
        ("confidence", "prediction_confidence"),
        ("margin", "prediction_margin"),
        ("decided", "annotation_last_decision"),
    ],
)
def test_an_index_has_the_order_so_that_nothing_is_sorted(
    documents: list[Document], project: Project, name: str, index: str
) -> None:
    for sorting in (Sorting(name), Sorting(f"-{name}")):
        listing = orders.WalkedListing(project, project.documents.all(), sorting, is_narrowed=False)
        place = sorting.place_of(documents[0])
        for backwards in (False, True):
            equal, beyond, *_lacking = listing._stretches(place, backwards)
            for rows in (equal, beyond):
                plan = rows.explain()
                assert index in plan
                assert "TEMP B-TREE" not in plan, plan
