"""The report card: every family's newest version on the same documents, one recommended, stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from annotate import tasks
from annotate.models import Document, ModelVersion, Project, ReportCard, User
from annotate.models.jobs import JobKind
from annotate.models.versions import Stage
from annotate.services.pages import reportcard_rows
from annotate.services.versions import publication, reportcards
from annotate.services.work import jobs
from tests.annotate.made.bundles import add_version
from tests.annotate.made.cards import TWIN
from training.reportcard import measurement

pytestmark = pytest.mark.django_db
Annotate = Callable[..., Any]


@pytest.fixture(autouse=True)
def quick(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BUNDLE_ROOT = tmp_path
    monkeypatch.setattr(reportcards, "SECONDS", 0.01)
    monkeypatch.setattr(reportcards, "SECONDS_ASIDE", 0.01)
    monkeypatch.setattr(measurement, "_AT_LEAST", 2)


@pytest.fixture
def held_out(
    project: Project, annotator: User, add_documents: Callable[..., list[Document]], annotate: Annotate
) -> Project:
    for name in ("red", "green", "blue"):
        for document in add_documents(project, *(f"{name} {i}" for i in range(4)), lane="holdout"):
            annotate(document, annotator, name)
    return project


def add(project: Project, number: int, family: str, **more: Any) -> ModelVersion:
    version = add_version(
        project, reportcards.settings.BUNDLE_ROOT, number=number, stage=more.pop("stage", Stage.CANDIDATE)
    )
    ModelVersion.objects.filter(pk=version.pk).update(family=family, **more)
    version.refresh_from_db()
    return version


def candidate(card: ReportCard, name: str) -> dict[str, Any]:
    return next(one for one in card.content["candidates"] if one["name"] == name)


def test_the_newest_kept_version_of_each_family_is_measured(held_out: Project) -> None:
    add(held_out, 1, "tfidf")
    add(held_out, 2, "tfidf")
    add(held_out, 3, "tfidf", bundle="")
    add(held_out, 4, "fasttext")
    card = reportcards.make(project=held_out)
    assert card is not None
    assert card.content["versions"] == {"fasttext v4": 4, "tfidf v2": 2}
    found = candidate(card, "tfidf v2")
    assert (found["evaluation"]["macro_f1"], found["evaluation"]["documents"]) == (1.0, 12)
    assert found["speed"]["p50_ms"] > 0
    assert found["bundle_bytes"] > 0
    assert found["explainable"]
    assert card.content["recommendation"]["name"] in card.content["versions"]
    json.dumps(card.content)


def test_a_project_without_a_version_has_no_card(held_out: Project) -> None:
    assert reportcards.make(project=held_out) is None
    assert reportcards.latest(held_out) is None


def test_what_cannot_be_measured_says_why(held_out: Project, tmp_path: Path) -> None:
    broken, other, sound = add(held_out, 1, "tfidf"), add(held_out, 2, "fasttext"), add(held_out, 3, "x")
    (tmp_path / broken.bundle / "model.onnx").write_bytes(b"damaged")
    ModelVersion.objects.filter(pk=other.pk).update(label_ids=other.label_ids[:2])
    card = reportcards.make(project=held_out)
    assert card is not None
    assert "was changed or damaged" in candidate(card, "tfidf v1")["problem"]
    assert "train this family again" in candidate(card, "fasttext v2")["problem"]
    assert reportcards.recommended(card) == sound


def test_without_a_labelled_holdout_document_nothing_is_recommended(project: Project) -> None:
    add(project, 1, "tfidf")
    card = reportcards.make(project=project)
    assert card is not None
    assert card.content["recommendation"]["name"] is None
    assert "from 10 held-out documents on; there are 0" in card.content["recommendation"]["reason"]
    assert reportcards.recommended(card) is None


def test_a_constraint_rules_out_with_its_reason(held_out: Project) -> None:
    held_out.constraints = {"size_bytes": 1}
    add(held_out, 1, "tfidf")
    card = reportcards.make(project=held_out)
    assert card is not None
    assert card.content["recommendation"]["name"] is None
    (row,) = reportcard_rows.rows(card)
    assert "allowed are 0.0 MB" in row.ruled_out[0]


def test_a_known_speed_is_measured_again_only_where_a_lead_asks(held_out: Project) -> None:
    version = add(held_out, 1, "tfidf")
    reportcards.make(project=held_out)
    version.refresh_from_db()
    ModelVersion.objects.filter(pk=version.pk).update(
        report=version.report | {"speed": {"p50_ms": 99.0, "p99_ms": 99.0, "texts_per_s": 1.0, "threads": 1}}
    )
    kept, anew = (reportcards.make(project=held_out, anew=asked) for asked in (False, True))
    assert kept is not None
    assert anew is not None
    assert candidate(kept, "tfidf v1")["speed"]["p50_ms"] == 99.0
    assert candidate(anew, "tfidf v1")["speed"]["p50_ms"] < 99.0


def test_a_card_is_outdated_by_a_newer_version_only(held_out: Project) -> None:
    assert not reportcards.outdated().exists()
    add(held_out, 1, "tfidf")
    assert list(reportcards.outdated()) == [held_out]
    card = reportcards.make(project=held_out)
    assert card is not None
    assert not reportcards.outdated().exists()
    ReportCard.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert list(reportcards.outdated()) == [held_out]


def test_few_holdout_documents_get_a_caveat(held_out: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    add(held_out, 1, "tfidf")
    few = reportcards.make(project=held_out)
    monkeypatch.setattr(reportcards, "ENOUGH", 12)
    enough = reportcards.make(project=held_out)
    assert few is not None
    assert enough is not None
    assert "Only 12 holdout documents" in few.content["caveats"][0]
    assert not enough.content["caveats"]


def test_a_checkpoint_s_name_comes_with_its_version(held_out: Project) -> None:
    version = add(held_out, 1, "transformer", report={"details": {"checkpoint": "some/checkpoint"}})
    card = reportcards.make(project=held_out)
    assert card is not None
    assert candidate(card, f"transformer v{version.number}")["params"] == {"checkpoint": "some/checkpoint"}


def test_what_int8_costs_comes_with_its_version(held_out: Project) -> None:
    parity = {"documents": 400, "max_difference": 0.1, "same_decisions": 0.995, "precision": "int8"}
    tried = {"note": "INT8 against FP32: the same.", "twin": TWIN}
    add(held_out, 1, "transformer", report={"parity": parity | tried})
    add(held_out, 2, "tfidf", report={"parity": parity | {"note": ""}})
    card = reportcards.make(project=held_out)
    assert card is not None
    found = candidate(card, "transformer v1")
    assert (found["twin"], found["notes"]) == (TWIN, ("INT8 against FP32: the same.",))
    assert candidate(card, "tfidf v2")["twin"] is None


def test_old_cards_are_forgotten(held_out: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reportcards, "KEPT", 2)
    add(held_out, 1, "tfidf")
    for _ in range(3):
        last = reportcards.make(project=held_out)
    assert ReportCard.objects.count() == 2
    assert reportcards.latest(held_out) == last


def test_the_recommended_family_is_published_where_the_project_wants_that(
    held_out: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reportcards, "ENOUGH", 12)
    add(held_out, 1, "fasttext", stage=Stage.PUBLISHED, label_ids=[])
    better = add(held_out, 2, "tfidf")
    card = reportcards.make(project=held_out)
    assert card is not None
    assert reportcards.publish_recommended(card=card) is None
    held_out.publish_recommended = True
    held_out.save()
    card.refresh_from_db()
    monkeypatch.setattr(reportcards, "ENOUGH", 13)
    assert reportcards.publish_recommended(card=card) is None
    monkeypatch.setattr(reportcards, "ENOUGH", 12)
    assert reportcards.publish_recommended(card=card) == better
    better.refresh_from_db()
    assert (better.stage, better.verdict) == ("published", card.content["recommendation"]["reason"])
    assert reportcards.publish_recommended(card=card) is None


def test_a_run_leaves_the_choice_of_the_family_to_the_card(held_out: Project) -> None:
    Project.objects.update(publish_recommended=True, publish_automatically=False)
    first = add(held_out, 1, "tfidf")
    snapshot = reportcards.snapshots.take(project=held_out)
    assert publication.judge(version=first, documents=snapshot.reporting).publish
    publication.publish(version=first)
    other, newer = add(held_out, 2, "fasttext"), add(held_out, 3, "tfidf")
    verdict = publication.judge(version=other, documents=snapshot.reporting)
    assert (verdict.publish, verdict.reason) == (
        False,
        "The report card decides which model is published.",
    )
    assert publication.judge(version=newer, documents=snapshot.reporting).publish


def test_the_newest_bundle_of_a_family_is_kept(held_out: Project) -> None:
    seldom = add(held_out, 1, "transformer")
    for number in range(2, 2 + publication.KEPT_BUNDLES + 2):
        ModelVersion.objects.create(
            project=held_out,
            number=number,
            family="tfidf",
            bundle=f"{number}",
            labelled=1,
            holdout_documents=0,
        )
    assert publication.prune(project=held_out) == 2
    seldom.refresh_from_db()
    assert seldom.bundle


def test_the_task_measures_once_and_has_the_published_predict(
    held_out: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[object, ...]] = []
    monkeypatch.setattr(tasks, "send", lambda kind, pk: sent.append((kind.name, pk)))
    Project.objects.update(publish_recommended=True)
    version = add(held_out, 1, "tfidf")
    (job,) = jobs.ask(kind=JobKind.REPORTCARD, project=held_out, anew=True)
    assert jobs.is_live(kind=JobKind.REPORTCARD, project=held_out)
    tasks.work("reportcard", job.pk)
    assert not jobs.is_live(kind=JobKind.REPORTCARD, project=held_out)
    assert sent == [("rescore", version.jobs.get().pk)]


def test_the_page_puts_the_most_accurate_first_and_offers_a_pair_that_pays(held_out: Project) -> None:
    add(held_out, 1, "tfidf")
    add(held_out, 2, "transformer")
    card = reportcards.make(project=held_out)
    assert card is not None
    quick, slow = candidate(card, "tfidf v1"), candidate(card, "transformer v2")
    quick["evaluation"]["macro_f1"], quick["speed"]["p50_ms"] = 0.8, 1.0
    slow["evaluation"]["macro_f1"], slow["speed"]["p50_ms"] = 0.9, 10.0
    gap = {"name": "tfidf v1", "within_noise": False}
    card.content["recommendation"] |= {"best": "transformer v2", "gaps": [gap]}
    card.save()
    rows = reportcard_rows.rows(card)
    assert [row.content["name"] for row in rows] == ["transformer v2", "tfidf v1"]
    pair = reportcard_rows.pair(rows)
    assert pair is not None
    assert (pair.cheap.number, pair.strong.number) == (1, 2)
    for changed, value in ((gap, {"within_noise": True}), (quick["speed"], {"p50_ms": 9.0})):
        before = dict(changed)
        changed |= value
        assert reportcard_rows.pair(reportcard_rows.rows(card)) is None
        changed |= before
    labels = reportcard_rows.per_label(card, rows)
    assert [(row.support, [one.estimate for one in row.scores]) for row in labels] == [(4, [1.0, 1.0])] * 3
    assert all(one.low is not None and one.low < 0.7 for row in labels for one in row.scores)
