from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotate import tasks
from annotate.models import Project, ReportCard, User
from tests.annotate.made.cards import TWIN, add_card, row


@pytest.fixture
def card(project: Project) -> ReportCard:
    return add_card(project)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tasks, "send", lambda kind, pk: sent.append((kind.name, pk)))
    return sent


def page(client: Client, project: Project) -> str:
    return client.get(reverse("reportcard", args=[project.slug])).content.decode()


def test_the_recommendation_stands_on_top_and_is_published_by_one_click(
    card: ReportCard, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    shown = page(sign_in(lead), project)
    assert "tfidf v2 is within noise of embedding v1." in shown
    assert shown.index("within noise of embedding v1") < shown.index("<table")
    assert reverse("version-publish", args=[project.slug, 2]) in shown
    assert "0.020 behind the best, p = 0.400: within noise" in shown


def test_every_figure_of_a_candidate_is_there(
    card: ReportCard, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    shown = page(sign_in(lead), project)
    for figure in ("0.820", "0.700–0.900", "0.040", "4.3 ms", "7.5 ms", "230 texts/s", "23 MB", "INT8"):
        assert figure in shown
    for words in ("3.2 s", "150 labels", "what it learned from", "INT8 against FP32", "a processor"):
        assert words in shown
    assert 'class="interval chosen"' in shown
    assert 'class="reliability"' in shown


def test_a_card_that_an_earlier_site_measured_on_few_documents_has_no_figures(
    card: ReportCard, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    card.content["documents"] = 9
    card.content["quantised"] = [
        {"int8": "a", "fp32": "b", "speedup": 2.5, "size_ratio": 0.25, "macro_f1_loss": 0.0123}
    ]
    card.save()
    shown = page(sign_in(lead), project)
    assert "compared from 10 holdout documents on; there are 9 so far" in shown
    for figure in ("0.820", "0.800", "0.700", "0.040", "0.020", "0.0123", 'class="reliability"'):
        assert figure not in shown
    assert 'class="chosen"' not in shown
    assert "within noise of embedding" not in shown


def test_what_is_ruled_out_or_broken_says_why(
    card: ReportCard, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    card.content["candidates"].append(
        row("fasttext v3", problem="It is broken.", evaluation=None, speed=None)
    )
    card.content["recommendation"]["ruled_out"] = {"embedding v1": ["it cannot say which words decided"]}
    card.save()
    shown = page(sign_in(lead), project)
    assert "It is broken." in shown
    assert "it cannot say which words decided" in shown


def test_a_candidate_tried_in_int8_shows_both_graphs(
    card: ReportCard, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(lead)
    assert "INT8 / FP32" not in page(client, project)
    card.content["candidates"].append(row("transformer v3", twin=TWIN))
    card.save()
    both = "INT8 / FP32: macro-F1 0.922 / 0.926 on 400 held-out texts, p50 3.1 ms / 8.0 ms, 23 MB / 90 MB"
    assert both in page(client, project)
    none = {"int8": TWIN["int8"] | {"macro_f1": None}, "fp32": TWIN["fp32"] | {"macro_f1": None}}
    card.content["candidates"][-1]["twin"] = TWIN | none | {"held_out": False}
    card.save()
    assert "macro-F1 – / – on 400 texts that it learned from, p50" in page(client, project)


def test_a_project_without_a_model_says_what_to_do(
    project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    shown = page(sign_in(lead), project)
    assert "There is no model yet" in shown
    assert "Measure anew" not in shown


def test_a_lead_has_it_measured_and_the_page_waits(
    card: ReportCard,
    project: Project,
    lead: User,
    sign_in: Callable[[User], Client],
    sent: list[tuple[Any, ...]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    client = sign_in(lead)
    assert "every 3s" not in page(client, project)
    with django_capture_on_commit_callbacks(execute=True):
        client.post(reverse("reportcard-measure", args=[project.slug]))
    job = project.jobs.get(kind="reportcard", is_anew=True)
    assert sent == [("reportcard", job.pk)]
    assert "every 3s" in page(client, project)
    part = client.get(
        reverse("reportcard", args=[project.slug]), headers={"HX-Request": "true"}
    ).content.decode()
    assert part.lstrip().startswith("<section")


def test_a_lead_combines_the_pair_that_pays(
    card: ReportCard, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(lead)
    assert "Combine" not in page(client, project)
    card.content["recommendation"]["gaps"][0]["within_noise"] = False
    card.save()
    assert "Combine tfidf v2 and embedding v1" in page(client, project)
    where = reverse("reportcard-combine", args=[project.slug])
    client.post(where, {"cheap": 2, "strong": 1})
    run = project.runs.get()
    assert (run.family, run.config, run.requested_by) == ("cascade", {"cheap": 2, "strong": 1}, lead)
    assert (
        "are being combined already"
        in client.post(where, {"cheap": 2, "strong": 1}, follow=True).content.decode()
    )
    for wrong in ({"cheap": 2, "strong": 2}, {"cheap": 9, "strong": 1}, {}):
        answer = client.post(where, wrong)
        told = answer.content.decode()
        assert answer.status_code == 422
        assert "A cascade needs two versions whose bundles are kept." in told
        assert told.index("autofocus") < told.index('id="reportcard"')
        assert "Combine tfidf v2 and embedding v1" in told
    assert project.runs.count() == 1


def test_constraints_are_asked_once_and_can_be_changed(
    lead: User,
    sign_in: Callable[[User], Client],
    sent: list[tuple[Any, ...]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    client = sign_in(lead)
    asked = {
        "latency_ms": "5",
        "size_mb": "30",
        "languages": "EN, ru",
        "expected_labels": "500",
        "explainable": "on",
    }
    basics = {"name": "New", "slug": "new", "task": "single", "labels": "a\nb"}
    client.post(reverse("project-create"), basics | asked)
    project = Project.objects.get(slug="new")
    assert project.constraints == {
        "latency_ms": 5.0,
        "size_bytes": 30_000_000,
        "explainable": True,
        "languages": ["en", "ru"],
        "labels": 500,
    }
    assert project.asked.languages == ("en", "ru")
    where = reverse("project-settings", args=["new"])
    response = client.get(where)
    assert 'value="en ru"' in response.content.decode()
    values = {name: value for name, value in response.context["form"].initial.items() if value is not None}
    with django_capture_on_commit_callbacks(execute=True):
        client.post(where, values | {"latency_ms": "2.5"})
    project.refresh_from_db()
    assert project.constraints == {"latency_ms": 2.5}
    assert sent == [("reportcard", project.jobs.get(is_anew=False).pk)]


def test_a_language_that_cannot_be_checked_is_refused(lead: User, sign_in: Callable[[User], Client]) -> None:
    basics = {"name": "New", "slug": "new", "task": "single", "labels": "a\nb", "languages": "en xx"}
    shown = sign_in(lead).post(reverse("project-create"), basics).content.decode()
    assert "xx cannot be checked" in shown
    assert not Project.objects.exists()
