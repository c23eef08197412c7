from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import ModelVersion, Project, TrainingRun, User
from annotate.models.versions import Stage
from annotate.models.work import WorkState
from annotate.services.versions import predictions
from tests.annotate.made.bundles import add_version
from tests.annotate.made.cards import TWIN
from tests.training.families.toy import TOY
from training.registry import FAMILIES


def test_a_lead_starts_a_run_of_each_family_once(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    client, where = sign_in(lead), reverse("run-start", args=[project.slug])
    client.post(where)
    client.post(where)
    assert sorted(project.runs.values_list("family", "requested_by")) == [
        ("embedding", lead.pk),
        ("tfidf", lead.pk),
    ]


def test_a_lead_starts_the_one_family_that_was_chosen(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    client, where = sign_in(lead), reverse("run-start", args=[project.slug])
    client.post(where, {"family": "tfidf"})
    assert list(project.runs.values_list("family", flat=True)) == ["tfidf"]
    answer = client.post(where, {"family": "nonsense", "tfidf-head": "svm"})
    assert answer.status_code == 422
    assert "nonsense is not one of the available choices" in answer.content.decode()
    assert project.runs.count() == 1


def test_the_runs_page_offers_each_family_by_name(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    page = sign_in(lead).get(reverse("runs", args=[project.slug])).content.decode()
    assert '<option value="tfidf">TF-IDF</option>' in page


def test_a_cancelled_run_is_over(sign_in: Callable[[User], Client], lead: User, project: Project) -> None:
    run = TrainingRun.objects.create(project=project, family="tfidf", reason="lead")
    sign_in(lead).post(reverse("run-cancel", args=[project.slug, run.pk]))
    run.refresh_from_db()
    assert run.state == WorkState.CANCELLED


def test_a_version_without_its_bundle_is_not_published_and_says_why(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    version = ModelVersion.objects.create(
        project=project, number=3, family="tfidf", labelled=5, holdout_documents=0
    )
    response = sign_in(lead).post(reverse("version-publish", args=[project.slug, 3]), follow=True)
    assert "The bundle of version 3 was removed" in response.content.decode()
    version.refresh_from_db()
    assert version.stage == "candidate"


def test_the_versions_page_says_which_version_answers_for_a_broken_one(
    sign_in: Callable[[User], Client], lead: User, project: Project, settings: Any, tmp_path: Path
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    predictions.CACHE.clear()
    add_version(project, tmp_path, number=1, stage=Stage.RETIRED)
    broken = add_version(project, tmp_path, number=2)
    where = reverse("versions", args=[project.slug])
    assert "answers in its place" not in sign_in(lead).get(where).content.decode()
    predictions.CACHE.clear()
    (tmp_path / broken.bundle / "model.onnx").write_bytes(b"damaged")
    page = sign_in(lead).get(where).content.decode()
    assert "Version 2 cannot be loaded, version 1 answers in its place." in page


def test_a_roll_back_with_nothing_before_says_so(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    response = sign_in(lead).post(reverse("version-roll-back", args=[project.slug, 1]), follow=True)
    assert "no earlier published version" in response.content.decode()


def test_the_button_publishes_the_version_that_it_names_and_no_other(
    sign_in: Callable[[User], Client], lead: User, project: Project, settings: Any, tmp_path: Path
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    for number in (1, 2, 3):
        stage = Stage.PUBLISHED if number == 3 else Stage.RETIRED
        add_version(project, tmp_path, number=number, stage=stage)
    client, page = sign_in(lead), reverse("versions", args=[project.slug])
    for number in (2, 1):
        where = reverse("version-roll-back", args=[project.slug, number])
        shown = client.get(page).content.decode()
        assert f"Roll back to version {number}<" in shown
        assert f'action="{where}"' in shown
        client.post(where)
        assert project.versions.published().get().number == number
        again = client.post(where, follow=True).content.decode()  # as from a page that was open before
        assert "nothing was changed" in again or "no earlier published version" in again
        assert project.versions.published().get().number == number
    assert "Roll back to version" not in client.get(page).content.decode()


def test_the_confused_labels_open_their_documents(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    red, green, blue = project.labels.values_list("pk", flat=True)
    ModelVersion.objects.create(
        project=project,
        number=1,
        family="tfidf",
        labelled=5,
        holdout_documents=9,
        label_ids=[red, green, blue],
        report={"confusion": [[2, 7, 0], [0, 3, 1], [0, 0, 2]]},
    )
    response = sign_in(lead).get(reverse("version", args=[project.slug, 1]))
    shown = response.content.decode()
    assert f'label={red}&amp;decided={green}">7</a>' in shown
    assert "<svg viewBox" not in shown  # of three labels the table is the whole matrix
    assert "8 mistakes on 15 holdout documents." in shown
    assert f"label={green}&amp;decided={blue}" in shown


def test_many_labels_are_drawn_and_each_mistake_opens_its_documents(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    labels = [project.labels.create(name=f"label {n}", position=n + 10).pk for n in range(20)]
    counts = [[9 * (i == j) + 4 * (j == i + 1) for j in range(20)] for i in range(20)]
    ModelVersion.objects.create(
        project=project,
        number=1,
        family="tfidf",
        labelled=5,
        holdout_documents=0,
        label_ids=labels,
        report={"confusion": counts},
    )
    shown = sign_in(lead).get(reverse("version", args=[project.slug, 1])).content.decode()
    linked = re.search(r'<g class="cell-wrong-2">(.*?)</g>', shown)
    assert linked is not None
    assert f'label={labels[0]}&amp;decided={labels[1]}"><rect x="1" y="0"' in linked[1]
    assert "label 0 → label 1: 4" in shown
    assert "100 % of the mistakes are within 3 places of the diagonal." in shown


def test_a_version_shows_both_of_its_graphs(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    parity = {
        "documents": 400,
        "max_difference": 0.1,
        "same_decisions": 0.995,
        "precision": "int8",
        "note": "",
        "twin": TWIN,
    }
    ModelVersion.objects.create(
        project=project,
        number=1,
        family="transformer",
        labelled=5,
        holdout_documents=9,
        report={"parity": parity},
    )
    shown = sign_in(lead).get(reverse("version", args=[project.slug, 1])).content.decode()
    both = "macro-F1 0.922 / 0.926 on 400 held-out texts, p50 3.1 ms / 8.0 ms, 23 MB / 90 MB"
    assert f"<dt>INT8 / FP32</dt><dd>{both}</dd>" in shown


def test_a_failed_run_shows_its_error_and_log(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    TrainingRun.objects.create(
        project=project,
        family="tfidf",
        state="failed",
        error="One class only.",
        log="read 5 documents",
        started_at=timezone.now(),
    )
    content = sign_in(lead).get(reverse("runs", args=[project.slug])).content.decode()
    assert "One class only." in content
    assert "read 5 documents" in content


def test_a_lead_starts_a_variant_and_options_of_other_families_are_not_looked_at(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    chosen = {
        "family": "tfidf",
        "tfidf-head": "svm",
        "tfidf-imbalance": "usual",
        "embedding-head": "lightgbm",
    }
    sign_in(lead).post(reverse("run-start", args=[project.slug]), chosen)
    run = project.runs.get()
    assert (run.family, run.variant, run.config) == ("tfidf", "svm", {"head": "svm"})
    page = sign_in(lead).get(reverse("runs", args=[project.slug])).content.decode()
    assert "TF-IDF (svm)" in page


def test_an_option_that_is_not_offered_is_refused(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    for wrong in ({"tfidf-head": "forest"}, {"embedding-encoder": "/etc"}, {"tfidf-teacher": "transformer"}):
        family = next(iter(wrong)).partition("-")[0]
        sign_in(lead).post(reverse("run-start", args=[project.slug]), {"family": family, **wrong})
    assert [run.config for run in project.runs.all()] == [{}]  # a teacher is no field while there is none


def test_an_encoder_that_a_lead_chooses_is_made_ready_first(
    sign_in: Callable[[User], Client], lead: User, project: Project, settings: Any
) -> None:
    settings.CHECKPOINTS = ["some/multilingual"]
    client, where = sign_in(lead), reverse("run-start", args=[project.slug])
    client.post(where, {"family": "embedding", "embedding-encoder": "some/multilingual"})
    client.post(where, {"family": "transformer", "transformer-checkpoint": "some/multilingual"})
    embedding, transformer = project.runs.order_by("pk")
    assert embedding.config == {"encoder": "some/multilingual", "prepare": True}
    assert transformer.config == {"checkpoint": "some/multilingual"}
    assert (embedding.is_slow, transformer.is_slow) == (True, True)


def test_a_kept_version_is_offered_as_a_teacher_of_the_other_families(
    sign_in: Callable[[User], Client], lead: User, project: Project, settings: Any, tmp_path: Path
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    add_version(project, tmp_path, number=1)
    client = sign_in(lead)
    page = client.get(reverse("runs", args=[project.slug])).content.decode()
    assert 'name="embedding-teacher"' in page
    assert 'name="tfidf-teacher"' not in page
    client.post(
        reverse("run-start", args=[project.slug]), {"family": "embedding", "embedding-teacher": "tfidf"}
    )
    assert project.runs.get().variant == "taught by tfidf"


def test_each_familys_options_are_shown_for_it_alone(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    ModelVersion.objects.create(
        project=project, number=1, family="cascade", bundle="one", labelled=5, holdout_documents=9
    )
    page = sign_in(lead).get(reverse("runs", args=[project.slug])).content.decode()
    shown_for = set(re.findall(r'data-family="(\w+)"', page))
    able = {key for key, family in FAMILIES.items() if family.learns and family.suits(project.task_type.task)}
    assert shown_for == able


def test_a_family_that_is_only_registered_has_its_options_on_the_runs_page(
    sign_in: Callable[[User], Client], lead: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, TOY.key, TOY)
    client = sign_in(lead)
    page = client.get(reverse("runs", args=[project.slug])).content.decode()
    assert f"<legend>{TOY.title}</legend>" in page
    assert TOY.help in page
    assert '<select name="toy-counted"' in page
    assert '<option value="letters">Letters too</option>' in page
    client.post(reverse("run-start", args=[project.slug]), {"family": "toy", "toy-counted": "letters"})
    run = project.runs.get()
    assert (run.family, run.variant, run.config) == ("toy", "letters", {"counted": "letters"})
    page = client.get(reverse("runs", args=[project.slug])).content.decode()
    assert f"{TOY.title} (letters)" in page


def test_the_runs_page_names_a_teacher_that_the_registry_no_longer_has(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    ModelVersion.objects.create(
        project=project, number=1, family="bygone", bundle="one", labelled=5, holdout_documents=9
    )
    page = sign_in(lead).get(reverse("runs", args=[project.slug])).content.decode()
    assert '<option value="bygone">Them, and bygone on the pool</option>' in page


def test_below_ten_holdout_documents_each_page_says_so(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=5, holdout_documents=4, stage="published"
    )
    client = sign_in(lead)
    for address in (reverse("versions", args=[project.slug]), reverse("version", args=[project.slug, 1])):
        assert "measured from 10 holdout documents on; 4 so far" in client.get(address).content.decode()


def test_the_database_takes_no_figure_without_its_evidence(project: Project) -> None:
    with pytest.raises(IntegrityError, match="version_figures_have_evidence"):
        ModelVersion.objects.create(
            project=project, number=1, family="tfidf", labelled=5, holdout_documents=9, macro_f1=1.0
        )


def test_a_label_with_few_documents_is_told_as_counts(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=5, holdout_documents=40, macro_f1=0.8
    )
    few, many, _none = project.labels.order_by("position")
    shown = {"threshold": 0.0, "precision": 0.6, "recall": 0.75, "f1": 0.67, "f1_low": 0.2, "f1_high": 0.91}
    version.class_metrics.create(label=few, support=4, hits=3, decided=5, **shown)
    version.class_metrics.create(label=many, support=36, hits=27, decided=45, **shown)
    page = sign_in(lead).get(reverse("version", args=[project.slug, 1])).content.decode()
    assert "3 of 4</a>" in page
    assert "3 of 5</a>" in page
    assert "27 of 36" not in page
    assert page.count("few documents</span>") == 1
