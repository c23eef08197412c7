"""Two versions on the same holdout documents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Job, KeptScores, ModelVersion, Project, User
from annotate.models.documents import Half
from annotate.models.jobs import JobKind
from annotate.services.quality import comparison
from annotate.services.versions import holdout, publication
from annotate.services.versions.holdout import NotScored
from annotate.services.work import jobs
from tests.annotate.made.bundles import add_version
from tests.annotate.made.scored import add_scored, hold_out

pytestmark = pytest.mark.django_db

RED, GREEN, BLUE = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8)


@pytest.fixture
def versions(project: Project, annotator: User) -> tuple[ModelVersion, ModelVersion]:
    """Version 2 is right where the answer is green, version 1 nearly never there; on red both are."""
    documents = hold_out(project, annotator, [("red",)] * 15 + [("green",)] * 15 + [("blue",)])
    old = add_scored(project, documents, [RED] * 15 + [BLUE] * 13 + [GREEN] * 2 + [BLUE])
    new = add_scored(project, documents, [BLUE] + [RED] * 14 + [GREEN] * 15 + [RED], number=2)
    return new, old


def test_a_label_that_moved_is_told_with_the_documents_of_both_directions(
    versions: tuple[ModelVersion, ModelVersion], project: Project
) -> None:
    new, old = versions
    found = comparison.compare(new, old)
    assert found.documents == 31
    assert [one.label.name for one in found.moved] == ["green"]
    green = found.moved[0].difference
    assert green.low > 0
    assert green.support == 15
    assert (len(found.flipped.won), len(found.flipped.lost), len(found.flipped.neither)) == (13, 2, 0)
    won = found.listed(found.flipped.won)
    assert {(row.answered, row.decided, row.against) for row in won} == {(("green",), ("green",), ("blue",))}
    back = comparison.compare(old, new)
    assert back.overall.difference == -found.overall.difference
    assert len(back.flipped.won) == 2


def test_a_label_of_few_documents_has_no_difference(
    versions: tuple[ModelVersion, ModelVersion],
) -> None:
    blue = comparison.compare(*versions).classes[-1]
    assert (blue.label.name, blue.is_measured, blue.has_moved) == ("blue", False, False)


def test_only_the_reporting_half_is_compared_and_only_what_both_have_scored(
    versions: tuple[ModelVersion, ModelVersion], project: Project, annotator: User
) -> None:
    new, old = versions
    hold_out(project, annotator, [("red",)] * 4)
    project.documents.filter(pk__in=[row.pk for row in project.documents.all()[:3]]).update(half=Half.TUNING)
    assert comparison.compare(new, old).documents == 28
    assert holdout.of_version(new).unscored.documents == 4


def test_a_label_that_one_of_them_does_not_know_is_left_out(
    versions: tuple[ModelVersion, ModelVersion], project: Project
) -> None:
    new, old = versions
    late = project.labels.create(name="pink", position=9)
    ModelVersion.objects.filter(pk=new.pk).update(label_ids=[*new.label_ids[:2], late.pk])
    new.refresh_from_db()
    found = comparison.compare(new, old)
    assert found.is_part_of_labels
    assert {one.label.name for one in found.classes} == {"red", "green"}


@pytest.mark.parametrize("few", [0, 9])
def test_too_few_documents_are_a_sentence(project: Project, annotator: User, few: int) -> None:
    documents = hold_out(project, annotator, [("red",)] * few)
    one, other = (add_scored(project, documents, [RED] * few, number=number) for number in (1, 2))
    with pytest.raises(NotScored, match=f"from 10 holdout documents on; both have scored {few}"):
        comparison.compare(one, other)


def test_a_version_is_compared_with_the_best_so_far_and_not_with_the_last_one(
    project: Project, versions: tuple[ModelVersion, ModelVersion]
) -> None:
    for number, gain in ((1, 0.02), (2, -0.01)):
        version = project.versions.get(number=number)
        ModelVersion.objects.filter(pk=version.pk).update(gain=gain)
        publication.Publication.objects.create(
            project=project, version=version, published_at="2026-01-01T00:00Z"
        )
    ModelVersion.objects.filter(number=2).update(stage="published")
    third = add_scored(project, [], [], number=3)
    best = comparison.counterpart(third)
    assert best is not None
    assert best.number == 1
    alone = comparison.counterpart(project.versions.get(number=1))
    assert alone is not None
    assert alone.number == 2


def test_the_page_and_the_files_tell_the_same(
    versions: tuple[ModelVersion, ModelVersion], project: Project, lead: User, sign_in: Callable[..., Client]
) -> None:
    client = sign_in(lead)
    where = reverse("version-compare", args=[project.slug])
    page = client.get(where, {"version": 2, "against": 1}).content.decode()
    assert "1 label has moved beyond chance" in page
    assert "held-out text 0" in page  # which version 1 alone has right
    file = reverse("version-compare-csv", args=[project.slug])
    classes = client.get(file, {"version": 2, "against": 1}).content.decode("utf-8-sig").splitlines()
    assert classes[0] == "label,support,difference,low,high,has_moved"
    assert [row.split(",")[0] for row in classes if row.endswith(",1")] == ["green"]
    told = client.get(file, {"version": 2, "against": 1, "table": "documents"}).content.decode()
    assert told.count(",won,green,green,blue") == 13
    assert told.count(",lost,") == 2


def test_a_version_without_its_bundle_is_a_sentence_on_the_page(
    project: Project, lead: User, sign_in: Callable[..., Client]
) -> None:
    for number in (1, 2):
        ModelVersion.objects.create(
            project=project, number=number, family="tfidf", labelled=5, holdout_documents=0
        )
    where = reverse("version-compare", args=[project.slug]) + "?version=2&against=1"
    page = sign_in(lead).get(where).content.decode()
    assert "The bundle of version 2 was removed to save space, and its scores with it." in page


def test_the_job_keeps_what_the_bundle_says(
    project: Project, annotator: User, lead: User, settings: Any, tmp_path: Path
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    version = add_version(project, tmp_path)
    red, blue = hold_out(project, annotator, [("red",), ("blue",)])
    for document, text in ((red, "red it is"), (blue, "blue, so blue")):
        project.documents.filter(pk=document.pk).update(text=text)
    (job,) = holdout.due()
    assert (job.kind, job.version) == (JobKind.HOLDOUT, version)
    jobs.do(job.pk, holdout.score)
    found = holdout.of_version(version)
    assert found.keys.tolist() == [red.pk, blue.pk]
    assert found.decisions.tolist() == [[True, False, False], [False, False, True]]
    assert found.raw is not None
    assert (found.raw == found.scores).all()
    assert list(holdout.due()) == []


def test_the_holdout_is_scored_again_once_it_has_grown(
    project: Project, annotator: User, settings: Any, tmp_path: Path
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    version = add_version(project, tmp_path)
    hold_out(project, annotator, [("red",)])
    (job,) = holdout.due()
    jobs.do(job.pk, holdout.score)
    hold_out(project, annotator, [("blue",)] * (holdout.FEWEST_NEW - 1))
    assert list(holdout.due()) == []
    hold_out(project, annotator, [("blue",)])
    (job,) = holdout.due()
    jobs.do(job.pk, holdout.score)
    assert holdout.of_version(version).unscored.documents == 0
    assert list(holdout.due()) == []


def test_a_bundle_that_is_gone_is_asked_once_and_never_again_by_itself(
    project: Project, settings: Any, tmp_path: Path
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    add_scored(project, [], [], stage="published")
    KeptScores.objects.all().delete()
    (job,) = holdout.due()
    jobs.do(job.pk, holdout.score)
    job.refresh_from_db()
    assert (job.state, "There is no bundle" in job.error) == ("failed", True)
    Job.objects.update(finished_at=timezone.now() - timedelta(days=1))
    assert list(holdout.due()) == []


def test_scores_go_with_the_bundle_that_made_them(project: Project, settings: Any, tmp_path: Path) -> None:
    settings.BUNDLE_ROOT = tmp_path
    for number in range(1, publication.KEPT_BUNDLES + 3):
        add_scored(project, [], [], number=number, bundle=f"of-{number}")
    publication.prune(project=project)
    kept = set(KeptScores.objects.values_list("version__number", flat=True))
    assert kept == set(project.versions.exclude(bundle="").values_list("number", flat=True))
    assert 0 < len(kept) < publication.KEPT_BUNDLES + 2
