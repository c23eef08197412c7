"""Thresholds and least confidences: looked at, saved as a version, published and gone back from."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import AskedText, Event, ModelVersion, Project, User
from annotate.models.documents import Document, Half
from annotate.models.events import EventKind
from annotate.models.versions import Sample
from annotate.services.pages import events as event_log
from annotate.services.quality import confidence, thresholds
from annotate.services.quality.thresholds import TrafficChange
from annotate.services.versions import predictions, publication, revisions, samples
from annotate.services.versions.holdout import NotScored
from annotate.services.versions.revisions import NotRevised
from tests.annotate.made.bundles import add_version
from tests.annotate.made.scored import add_scored, hold_out, keep
from training.bundles.bundle import CARD, MANIFEST, open_bundle
from training.figures.tradeoff import Aim

pytestmark = pytest.mark.django_db
NONE = (0.1, 0.1, 0.1)


def said(score: float) -> tuple[float, float, float]:
    """Scores of a document that is red by so much and nothing else."""
    return score, 0.1, 0.1


@pytest.fixture
def version(multi_project: Project, annotator: User, settings: Any, tmp_path: Path) -> ModelVersion:
    """Red is said with 0.3 to 0.9, rightly from 0.6 on; with a bundle, on both halves and 4 pool texts."""
    settings.BUNDLE_ROOT = tmp_path
    predictions.CACHE.clear()
    made = add_version(multi_project, tmp_path, thresholds=(0.5, 0.5, 0.5))
    made.label_ids = list(multi_project.labels.order_by("pk").values_list("pk", flat=True))
    made.save()
    scores = [said(score) for score in (0.3, 0.55, 0.55, 0.55, 0.6, 0.9)] * 4
    answers = [["red"] if score[0] >= 0.6 else [] for score in scores]
    halves = [hold_out(multi_project, annotator, answers, half) for half in (Half.TUNING, Half.REPORTING)]
    keep(made, Sample.HOLDOUT, [*halves[0], *halves[1]], scores * 2, raw=scores * 2)
    pool = [
        Document.objects.create(project=multi_project, text=f"pool {n}", sha256=str(n) * 64, lane="pool")
        for n in range(4)
    ]
    keep(made, Sample.POOL, pool, [said(score) for score in (0.4, 0.52, 0.58, 0.9)], population=8)
    return made


def red(version: ModelVersion) -> int:
    return version.label_ids[0]


def test_a_threshold_is_shown_with_what_it_changes_before_it_is_saved(version: ModelVersion) -> None:
    found = thresholds.table(version, {red(version): 0.6})
    (row,) = found.changed
    assert (row.before.hits, row.before.decided, row.after.hits, row.after.decided) == (8, 20, 8, 8)
    assert row.after.precision.estimate == 1.0
    assert row.gained is not None
    assert row.lost is not None
    assert (row.gained.number, row.lost.number, row.lost.about) == (0, 2, 4)
    assert [document.text for document in row.lost.listed] == ["pool 1", "pool 2"]
    assert found.otherwise is not None
    assert found.otherwise.number == 2
    assert version.project.versions.count() == 1


def test_last_weeks_texts_of_programs_are_decided_anew_where_some_are_kept(
    version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = thresholds.table(version, {red(version): 0.6})
    assert (found.traffic, "no text of the last 7 days is kept" in found.no_traffic) == (None, True)
    for text, days in (("red now", 1), ("blue now", 2), ("red of long ago", 8)):
        row = AskedText.objects.create(project=version.project, text=text)
        AskedText.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(days=days))
    shy = float(np.float32(_score_of("red now", version)))
    found = thresholds.table(version, {red(version): np.nextafter(np.float32(shy), np.float32(2))})
    assert found.traffic == TrafficChange(asked=2, number=1, listed=("red now",))
    assert thresholds.table(version, {}).traffic is None  # nothing differs
    version.bundle_folder.joinpath("model.onnx").unlink()
    predictions.CACHE.clear()
    gone = thresholds.table(version, {red(version): 0.6})
    assert "What changes for programs cannot be told: The bundle at" in gone.no_traffic


def _score_of(text: str, version: ModelVersion) -> float:
    said = predictions.predict(project=version.project, texts=[text]).texts[0]
    return float(dict(said.answer.scores)[red(version)] or 0)


@pytest.mark.parametrize(
    ("aim", "value", "expected"),
    [(Aim.PRECISION, 1.0, 0.6), (Aim.RECALL, 1.0, 0.6), (Aim.F1, 1.0, 0.575)],
)
def test_an_aim_sets_the_threshold_on_the_tuning_half_alone(
    version: ModelVersion, aim: Aim, value: float, expected: float
) -> None:
    version.project.documents.filter(half=Half.REPORTING).update(text="of no matter")
    found = thresholds.by_aim(version, None, aim, value)
    assert found == {red(version): pytest.approx(expected, abs=1e-6)}  # the others have no document there


def test_a_saved_threshold_is_a_version_that_scores_the_same_and_decides_otherwise(
    version: ModelVersion, lead: User
) -> None:
    revision = revisions.save(version=version, by=lead, thresholds={red(version): 0.6})
    assert (revision.number, revision.revises, revision.stage) == (2, version, "candidate")
    old, new = open_bundle(version.bundle_folder), open_bundle(revision.bundle_folder)
    assert new.thresholds == (pytest.approx(0.6), 0.5, 0.5)
    assert old.thresholds == (0.5, 0.5, 0.5)
    assert {name: one for name, one in new.files.items() if name != CARD} == old.files
    assert revision.has_its_own_bundle()
    assert version.has_its_own_bundle()
    metric = revision.class_metrics.get(label=red(version))
    assert (metric.precision, metric.recall, metric.support) == (1.0, 1.0, 8)
    assert revision.holdout_documents == 24  # of the reporting half
    kept = samples.read(version=revision, sample=Sample.POOL)
    assert kept is not None
    assert kept.thresholds.tolist() == pytest.approx([0.6, 0.5, 0.5])
    told = Event.objects.get(kind=EventKind.THRESHOLDS_CHANGED)
    assert event_log.sentence(told) == (
        f"{lead.username} made version 2 of version 1 by other thresholds: red from “0.5” to “{0.6:.7f}”"
    ).replace("0.6000000", str(float(np.float32(0.6))))


def test_it_is_published_and_gone_back_from_like_any_version(version: ModelVersion, lead: User) -> None:
    project = version.project
    publication.Publication.objects.get_or_create(
        project=project, version=version, defaults={"published_at": "2026-01-01T00:00Z"}
    )
    revision = revisions.save(version=version, by=lead, thresholds={red(version): 0.6})
    publication.publish(version=revision, by=lead)
    assert predictions.predict(project=project, texts=["red"]).thresholds[red(version)] == pytest.approx(0.6)
    publication.roll_back(project=project, by=lead)
    assert predictions.predict(project=project, texts=["red"]).thresholds[red(version)] == 0.5


def test_under_its_least_confidence_a_version_decides_on_nothing(
    project: Project, annotator: User, lead: User, settings: Any, tmp_path: Path
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    predictions.CACHE.clear()
    version = add_version(project, tmp_path)
    keep(version, Sample.HOLDOUT, hold_out(project, annotator, [("red",)] * 12), [(0.8, 0.1, 0.1)] * 12)
    revision = revisions.save(version=version, by=lead, abstain_below=0.9)
    publication.publish(version=revision, by=lead)
    sure, unsure = predictions.predict(project=project, texts=["red", "something else"]).texts
    assert (sure.is_abstained, unsure.is_abstained) == (False, True)
    assert unsure.answer.labels  # what it would say is still known
    with pytest.raises(NotRevised, match="no threshold decides"):
        revisions.save(version=version, by=lead, thresholds={version.label_ids[0]: 0.7})


def test_what_cannot_be_saved_is_a_sentence_and_leaves_nothing(version: ModelVersion, lead: User) -> None:
    with pytest.raises(NotRevised, match="Nothing differs from version 1"):
        revisions.save(version=version, by=lead, thresholds={red(version): 0.5})
    (version.bundle_folder / MANIFEST).unlink()
    with pytest.raises(NotRevised, match="cannot be revised"):
        revisions.save(version=version, by=lead, thresholds={red(version): 0.6})
    version.bundle = ""
    with pytest.raises(NotRevised, match="was removed to save space"):
        revisions.save(version=version, by=lead, thresholds={red(version): 0.6})
    version.bundle, version.calibrated = "there", False
    with pytest.raises(NotRevised, match="not calibrated"):
        revisions.save(version=version, by=lead, abstain_below=0.6)
    assert version.project.versions.count() == 1


def test_the_page_shows_the_effect_and_its_button_saves_it(
    version: ModelVersion, lead: User, sign_in: Callable[[User], Client]
) -> None:
    client, slug = sign_in(lead), version.project.slug
    where = reverse("version-thresholds", args=[slug, 1])
    page = client.get(where, {"label": red(version), "aim": "precision", "value": "1"}).content.decode()
    assert "1 threshold differs" in page
    assert "lose it: 2 of those drawn, about 4" in page
    assert "Precision over recall of red" in page
    sent = dict(re.findall(r'type="hidden" name="(threshold-\d+)" value="([^"]+)"', page))
    assert list(sent) == [f"threshold-{red(version)}"]
    saved = client.post(reverse("version-revise", args=[slug, 1]), sent, follow=True).content.decode()
    assert "Saved as version 2." in saved
    assert version.project.versions.get(number=2).class_metrics.get(label=red(version)).precision == 1.0


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"aim": "precision"}, "Say how much"),
        ({"aim": "recall", "value": "2"}, "A share is between 0 and 1."),
        ({"aim": "fbeta", "value": "0"}, "Beta is above 0"),
    ],
)
def test_an_aim_that_means_nothing_is_told(
    version: ModelVersion, lead: User, sign_in: Callable[[User], Client], sent: dict[str, str], told: str
) -> None:
    where = reverse("version-thresholds", args=[version.project.slug, 1])
    answer = sign_in(lead).get(where, sent)
    assert answer.status_code == 422
    assert told in answer.content.decode()


def test_a_single_label_has_no_threshold_and_the_page_says_so(
    project: Project, annotator: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    add_scored(project, hold_out(project, annotator, [("red",)]), [(0.8, 0.1, 0.1)])
    page = sign_in(lead).get(reverse("version-thresholds", args=[project.slug, 1])).content.decode()
    assert "no threshold decides" in page


def test_the_confidence_page_tells_coverage_and_accuracy(
    version: ModelVersion, lead: User, sign_in: Callable[[User], Client]
) -> None:
    shown = confidence.shown(version, 0.48)
    # Confidence of (p, 0.1, 0.1) is max(p, 1 - p) x 0.81: 0.567, 0.4455 three times, 0.486 and 0.729.
    assert shown.now.coverage == 1.0
    assert shown.now.accuracy == pytest.approx(12 / 24)
    assert shown.wanted.coverage == pytest.approx(12 / 24)
    assert shown.wanted.accuracy == 1.0
    assert confidence.shown(version, 0.55).wanted.accuracy is None  # eight answers are no figure
    assert confidence.least_for(version, 1.0) == pytest.approx(0.486)
    client, where = sign_in(lead), reverse("version-confidence", args=[version.project.slug, 1])
    page = client.get(where, {"least": "0.99"}).content.decode()
    assert "nothing is answered" in page  # all abstained
    assert "too few are answered" in client.get(where, {"least": "0.55"}).content.decode()
    assert "Accuracy over coverage" in page
    assert "before, error" in page
    file = client.get(reverse("version-confidence-csv", args=[version.project.slug, 1])).content.decode()
    assert file.splitlines()[0].endswith("confidence,coverage,accuracy,low,high")
    assert len(file.splitlines()) == 1 + 2  # those that ten answers stand for


def test_an_uncalibrated_version_has_no_confidence(version: ModelVersion) -> None:
    version.calibrated = False
    with pytest.raises(NotScored, match="not calibrated"):
        confidence.shown(version, None)


def test_a_label_without_holdout_documents_keeps_its_threshold(
    version: ModelVersion,
) -> None:
    green = version.project.labels.get(name="green")
    assert thresholds.by_aim(version, green.pk, Aim.F1, 1.0) == {}
    assert thresholds.curve(version, green) is None
    row = next(row for row in thresholds.table(version, {}).rows if row.label == green)
    assert row.is_told_as_counts
    assert row.before.support == 0
