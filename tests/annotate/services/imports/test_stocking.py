"""Which documents are held out: by share, and never one that a person has decided on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from annotate.models import Annotation, Document, Event, Import, Project, TrainingRun, User
from annotate.models.annotations import Outcome
from annotate.models.documents import Lane
from annotate.services.corpus.snapshots import SnapshotSummary
from annotate.services.imports import holdout, lanes
from annotate.services.imports.upsert import IncomingDocument, store_rows
from training import splits
from training.types import Answer


def decide(document: Document, user: User) -> None:
    Annotation.objects.create(
        project=document.project, document=document, annotator=user, outcome=Outcome.ANSWERED
    )


def test_the_holdout_lane_follows_the_share_and_near_duplicates_stay_together(project: Project) -> None:
    store_rows(
        project=project,
        rows=[IncomingDocument(f"text {chr(97 + i % 26)}{chr(97 + i // 26)}") for i in range(600)],
    )
    assert project.documents.holdout().count() == 60
    held = project.documents.holdout().first()
    assert held is not None
    store_rows(
        project=project,
        rows=[IncomingDocument(held.text.upper() + "!"), IncomingDocument(held.text + " ...")],
    )
    twins = project.documents.filter(split_key=held.split_key)
    assert {(d.lane, d.half) for d in twins} == {(Lane.HOLDOUT, held.half)}
    assert len(twins) == 3


def words(count: int) -> list[str]:
    return ["".join(chr(97 + int(digit)) for digit in str(10_000 + i)) for i in range(count)]


def test_labels_that_come_with_a_file_let_more_be_held_out_until_each_has_twenty(project: Project) -> None:
    rows = [
        IncomingDocument(word, answer=Answer((("red", "green")[i % 2],))) for i, word in enumerate(words(300))
    ]
    store_rows(project=project, rows=rows)
    held = project.documents.holdout()
    counts = [held.filter(annotations__labels__name=name).count() for name in ("red", "green")]
    assert min(counts) == 20
    assert held.count() < 60  # as no label is short any more
    before = set(held.values_list("pk", flat=True))
    store_rows(project=project, rows=rows)
    assert set(held.values_list("pk", flat=True)) == before


def test_a_rare_label_lets_no_more_be_held_out_than_twice_the_share(project: Project) -> None:
    rows = [
        IncomingDocument(word, answer=Answer((("blue" if i % 50 == 0 else "red"),)))
        for i, word in enumerate(words(400))
    ]
    store_rows(project=project, rows=rows)
    assert project.documents.holdout().count() == 80


def test_what_is_held_out_is_drawn_whatever_its_label(project: Project) -> None:
    """Of a label that a tenth has, twenty had been picked: more than a quarter of what is held out."""
    rows = [
        IncomingDocument(word, answer=Answer((("blue" if i % 10 == 0 else "red"),)))
        for i, word in enumerate(words(600))
    ]
    store_rows(project=project, rows=rows)
    held = project.documents.holdout()
    blue = held.filter(annotations__labels__name="blue").count()
    assert 0.05 < blue / held.count() < 0.16


def test_a_document_that_a_person_has_decided_on_is_not_moved(project: Project, annotator: User) -> None:
    project.holdout_share = 0.0
    store_rows(project=project, rows=[IncomingDocument(word) for word in words(10)])
    for document in project.documents.all():
        decide(document, annotator)
    store_rows(project=project, rows=[IncomingDocument(word, answer=Answer(("red",))) for word in words(10)])
    assert not project.documents.holdout().exists()


def template(first: int, count: int) -> list[IncomingDocument]:
    return [IncomingDocument(f"Order {i} was sent, {i} boxes.") for i in range(first, first + count)]


def lanes_of(project: Project) -> dict[int, tuple[str, str]]:
    rows = project.documents.values_list("pk", "lane", "half")
    return {pk: (lane, half) for pk, lane, half in rows}


def test_copies_of_one_template_stay_in_the_pool_together(project: Project) -> None:
    counts = store_rows(project=project, rows=template(0, 596))
    assert not project.documents.holdout().exists()
    assert (counts.lanes.pool, counts.lanes.holdout, counts.lanes.groups) == (596, 0, 1)


def test_of_texts_that_are_mostly_copies_the_others_fill_the_lane(project: Project) -> None:
    rows = template(0, 54) + [IncomingDocument(word) for word in words(15)]
    store_rows(project=project, rows=rows)
    assert project.documents.holdout().count() == 7  # a tenth of the documents
    assert not project.documents.holdout().filter(text__startswith="Order").exists()


def test_no_document_changes_its_lane_whatever_comes_later(project: Project) -> None:
    rows = [IncomingDocument(word) for word in words(300)]
    store_rows(project=project, rows=rows)
    before = lanes_of(project)
    store_rows(project=project, rows=rows)
    assert lanes_of(project) == before
    store_rows(project=project, rows=template(0, 300))
    store_rows(project=project, rows=[IncomingDocument(f"{word} again {word}") for word in words(300)])
    after = lanes_of(project)
    assert {pk: after[pk] for pk in before} == before
    held = project.documents.holdout().count()
    assert held / project.documents.count() == pytest.approx(project.holdout_share, abs=0.01)


def test_texts_that_come_one_by_one_fill_the_lane(project: Project) -> None:
    project.holdout_share = 0.2
    for word in words(200):
        store_rows(project=project, rows=[IncomingDocument(word)])
    assert 37 <= project.documents.holdout().count() <= 43


def test_the_same_texts_get_the_same_lanes_in_another_project(
    project: Project, make_project: Callable[..., Project]
) -> None:
    rows = template(0, 20) + [IncomingDocument(word) for word in words(200)]
    other = make_project(slug="again")
    for into in (project, other):
        store_rows(project=into, rows=rows)
    ours, theirs = (dict(one.documents.values_list("text", "lane")) for one in (project, other))
    assert ours == theirs


def test_a_label_whose_texts_are_copies_does_not_move_them_all(project: Project) -> None:
    """Fifty-four copies were moved for the twenty that the label was short of."""
    project.holdout_share = 0.0
    rows = [replace(row, answer=Answer(("red",))) for row in template(0, 54)]
    rows += [IncomingDocument(word, answer=Answer(("red",))) for word in words(15)]
    counts = store_rows(project=project, rows=rows)
    held = project.documents.holdout()
    assert held.count() == counts.lanes.moved == 12  # nearly a fifth of all
    assert not held.filter(text__startswith="Order").exists()


def test_a_dry_run_says_what_would_go_where(project: Project) -> None:
    rows = [IncomingDocument(word) for word in words(100)]
    would = store_rows(project=project, rows=rows, dry_run=True).lanes
    assert not project.documents.exists()
    assert store_rows(project=project, rows=rows).lanes == would
    assert (would.pool, would.holdout) == (90, 10)


@pytest.mark.parametrize("state", ["succeeded", "running"])
def test_what_a_run_has_learned_from_is_not_moved(project: Project, state: str) -> None:
    """A model looks better than it is on what it has learned; the published one is compared on the lane."""
    project.holdout_share = 0.0
    run = TrainingRun.objects.create(project=project, family="tfidf", reason="lead", state="queued")
    rows = [IncomingDocument(word, answer=Answer(("red",))) for word in words(100)]
    store_rows(project=project, rows=rows[:50])
    learned = Annotation.objects.latest("pk").pk
    run.state, run.snapshot = state, SnapshotSummary(annotation=learned, labelled=50).dump()
    run.save()
    store_rows(project=project, rows=rows)
    held = project.documents.holdout()
    assert held.count() == 20
    assert not held.filter(annotations__pk__lte=learned).exists()


def test_nothing_is_moved_while_a_run_may_be_reading(project: Project) -> None:
    project.holdout_share = 0.0
    run = TrainingRun.objects.create(project=project, family="tfidf", reason="lead", state="queued")
    rows = [IncomingDocument(word, answer=Answer(("red",))) for word in words(100)]
    store_rows(project=project, rows=rows)
    assert not project.documents.holdout().exists()
    run.state = "cancelled"
    run.save()
    store_rows(project=project, rows=rows)
    assert project.documents.holdout().count() == 20


def test_copies_of_what_is_held_out_count_for_the_share(project: Project) -> None:
    """Twenty copies come with twenty other texts: the lane has more than its share by the copies alone."""
    new = [Document(text=f"held {i}", split_key="held") for i in range(20)]
    others = [Document(text=word, split_key=splits.split_key(word)) for word in words(40)]
    counts = lanes.assign(
        project, [*new, *others], {"held": (Lane.HOLDOUT, "tuning")}, share=project.holdout_share
    )
    assert {(one.lane, one.half) for one in new} == {(Lane.HOLDOUT, "tuning")}
    assert (counts.joined, counts.holdout - 20) == (20, 2)  # half of the usual share of forty


def test_the_command_says_what_went_where(project: Project, tmp_path: Path) -> None:
    file, told = tmp_path / "orders.txt", StringIO()
    file.write_text("".join(f"order {i}\n" for i in range(30)), encoding="utf-8")
    call_command("import_documents", project.slug, str(file), stdout=told)
    assert "All 30 are copies of one text" in told.getvalue()


@pytest.mark.parametrize("held", [0, 54])
def test_a_lane_that_near_duplicates_leave_uneven_is_evened_out(
    project: Project, lead: User, annotator: User, held: int
) -> None:
    source = Import.objects.create(project=project, name="mine.csv", state="succeeded")
    store_rows(
        project=project, rows=[IncomingDocument(f"order {i} is late") for i in range(69)], source=source
    )
    keys = project.documents.values_list("pk", flat=True)[:held]
    project.documents.filter(pk__in=list(keys)).update(lane=Lane.HOLDOUT, half="tuning")
    seen = project.documents.order_by("sha256").filter(lane=Lane.HOLDOUT if held else Lane.POOL)[0]
    decide(seen, annotator)
    assert holdout.is_uneven(project, source) == held - 7
    moved = holdout.even_out(project=project, source=source, by=lead)
    assert moved == abs(held - 7)
    assert project.documents.holdout().count() == 7
    seen_lane = seen.lane
    seen.refresh_from_db()
    assert seen.lane == seen_lane  # somebody has decided on it
    assert Event.objects.get().details == {"lane": "pool" if held else "holdout", "moved": moved}
    assert holdout.is_uneven(project, source) == 0
    assert holdout.even_out(project=project, source=source, by=lead) == 0
    if not held:
        halves = project.documents.holdout().values_list("half", flat=True)
        assert set(halves) == {"tuning", "reporting"}


def test_a_lane_is_not_evened_out_while_a_run_may_be_reading(project: Project, lead: User) -> None:
    source = Import.objects.create(project=project, name="mine.csv", state="succeeded")
    store_rows(
        project=project, rows=[IncomingDocument(f"order {i} is late") for i in range(69)], source=source
    )
    TrainingRun.objects.create(project=project, family="tfidf", reason="lead", state="running")
    assert holdout.even_out(project=project, source=source, by=lead) == 0
