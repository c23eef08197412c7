from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import (
    Annotation,
    ClassMetric,
    Document,
    ModelVersion,
    Project,
    Publication,
    TrainingRun,
    User,
    WorkerPulse,
)
from annotate.services.work.limits import silent_seconds


@pytest.fixture
def page(sign_in: Callable[[User], Client], lead: User, project: Project) -> Callable[[], str]:
    client = sign_in(lead)
    return lambda: client.get(reverse("project", args=[project.slug])).content.decode()


def _version(project: Project, number: int, f1: float | None, **fields: object) -> ModelVersion:
    bounds = {"macro_f1_low": f1 - 0.05, "macro_f1_high": f1 + 0.05} if f1 is not None else {}
    return ModelVersion.objects.create(
        project=project,
        number=number,
        family="tfidf",
        labelled=10 * number,
        holdout_documents=312,
        macro_f1=f1,
        published_at=timezone.now() + timedelta(minutes=number),
        **bounds,
        **fields,
    )


def test_an_empty_project_says_what_to_do_first(page: Callable[[], str]) -> None:
    assert "Import texts" in page()


def test_it_tells_how_many_labels_the_next_model_needs(
    page: Callable[[], str],
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    for document in add_documents(project, "one", "two"):
        Annotation.objects.create(project=project, document=document, annotator=annotator, outcome="answered")
    assert "8 more labels until the next model." in page()


def test_a_large_project_says_that_its_counts_may_be_a_minute_old(
    page: Callable[[], str],
    project: Project,
    add_documents: Callable[..., list[Document]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_documents(project, "one", "two")
    assert "once a minute" not in page()
    monkeypatch.setattr("annotate.services.documents.kept.LARGE", 1)
    assert "once a minute" in page()


def test_it_says_what_comes_next_where_no_number_of_labels_opens_a_run(
    page: Callable[[], str], project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "one")
    project.families = ["tfidf"]
    project.save()
    run = TrainingRun.objects.create(project=project, family="tfidf", state="running")
    TrainingRun.objects.create(project=project, family="transformer", is_slow=True, state="running")
    assert "until the next model" not in page()
    TrainingRun.objects.filter(pk=run.pk).update(state="succeeded", snapshot={"annotation": 0})
    Project.objects.update(families=["transformer"])
    assert "The next model waits for the one that is training." in page()
    Project.objects.update(families=["gone"])
    TrainingRun.objects.update(state="succeeded")
    assert "No model family trains by itself: choose some in the settings." in page()


def test_a_live_run_shows_its_family_and_progress(
    page: Callable[[], str], project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "one")
    hour = timezone.now() - timedelta(hours=1)
    TrainingRun.objects.create(
        project=project, family="embedding", state="running", progress=0.74, started_at=hour
    )
    content = page()
    taken = re.search(r"Training: Sentence embeddings, (\d+) s, 74 %", content)
    assert taken is not None
    assert 3_600 <= int(taken[1]) < 7_200  # however long a busy machine takes over this test
    assert 'hx-trigger="every 2s"' in content


def test_a_failed_run_says_why(
    page: Callable[[], str], project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "one")
    TrainingRun.objects.create(
        project=project, family="tfidf", state="failed", error="There is one label only."
    )
    assert "There is one label only." in page()


def test_a_failed_job_says_which_work_it_is_and_why(
    page: Callable[[], str], project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "one")
    project.jobs.create(kind="vectors", state="failed", error="There is no encoder <here>.")
    assert "Making vectors failed: There is no encoder &lt;here&gt;." in " ".join(page().split())
    project.jobs.create(kind="vectors", state="succeeded")
    assert "Making vectors failed" not in page()


def test_a_queue_without_a_worker_is_named(
    page: Callable[[], str], project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "one")
    now = timezone.now()
    WorkerPulse.objects.create(queue="interactive", seen_at=now)
    WorkerPulse.objects.create(queue="training", seen_at=now - timedelta(seconds=31))
    content = page()
    assert "queue “training”" in content
    assert "queue “interactive”" not in content


@pytest.mark.parametrize(("path", "by"), [("project", "lead"), ("label-pulse", "annotator")])
def test_a_queue_that_stands_still_behind_a_living_worker_is_named(
    path: str,
    by: str,
    project: Project,
    add_documents: Callable[..., list[Document]],
    sign_in: Callable[[User], Client],
    request: pytest.FixtureRequest,
) -> None:
    add_documents(project, "one")
    client, now = sign_in(request.getfixturevalue(by)), timezone.now()

    def shown(still: float, busy: float | None = None, waiting: int = 2) -> str:
        busy_since = None if busy is None else now - timedelta(minutes=busy)
        noted = {"waiting": waiting, "still_since": now - timedelta(minutes=still), "busy_since": busy_since}
        WorkerPulse.objects.update_or_create(queue="training", defaults={"seen_at": now, **noted})
        return read()

    def read() -> str:
        ask = client.post if path == "label-pulse" else client.get
        return ask(reverse(path, args=[project.slug])).content.decode()

    named = "queue “training”"
    assert named not in shown(0.9)
    assert "queue “training” stands still: 2 pieces of work wait, the longest for 3 minutes" in shown(3.1)
    assert "1 piece of work has waited for 1 minute, and the worker takes nothing up" in shown(1.1, waiting=1)
    assert named not in shown(9.5, busy=20)
    busy = shown(11.1, busy=20.1)
    assert "the longest for 11 minutes, behind work that has taken 20 minutes so far" in busy
    WorkerPulse.objects.update(seen_at=now - timedelta(seconds=31))
    assert "No worker of the queue “training”" in read()
    assert "pieces of work" not in read()


def test_running_work_that_is_silent_says_so_before_it_is_ended(
    page: Callable[[], str], project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "one")
    fields: dict[str, object] = {"state": "running", "stage": "fit", "started_at": timezone.now()}
    run = TrainingRun.objects.create(project=project, family="tfidf", noted_at=timezone.now(), **fields)
    half = timedelta(seconds=silent_seconds(run) / 2)
    assert "given no sign" not in page()
    TrainingRun.objects.update(noted_at=timezone.now() - half - timedelta(seconds=5))
    assert "It has given no sign for 7 minutes; after 15 minutes without one it is ended." in page()
    TrainingRun.objects.update(state="queued")
    assert "given no sign" not in page()
    project.jobs.create(kind="vectors", noted_at=timezone.now() - half * 3, **fields | {"stage": "vectors"})
    assert "It has given no sign for 22 minutes" in page()


def test_the_published_version_stands_beside_the_one_before(
    page: Callable[[], str], project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "one")
    before = _version(project, 6, 0.78, stage="retired", bundle="6")
    Publication.objects.create(project=project, version=before, published_at=before.published_at)
    version = _version(project, 7, 0.81, stage="published")
    red, green, _blue = project.labels.all()
    ClassMetric.objects.create(version=version, label=red, threshold=0.5, support=0)
    ClassMetric.objects.create(
        version=version, label=green, threshold=0.5, support=4, precision=0.5, recall=0.25, f1=0.33
    )
    content = page()
    assert "macro-F1 <strong>0.81</strong> (0.76–0.86) on 312 holdout documents, version 6: 0.78." in content
    assert content.index(">green<") < content.index(">red<")
    assert "not measurable yet" in content
    assert "<polyline" in content
    assert "style=" not in content
    assert all(f"?{differ}=1" in content for differ in ("disagree", "split"))


def test_a_page_about_an_older_version_says_so(
    sign_in: Callable[[User], Client], lead: User, project: Project
) -> None:
    _version(project, 2, 0.8, stage="published")
    where = reverse("project-live", args=[project.slug])
    client = sign_in(lead)
    assert "older version" in client.get(where, {"shown": "1"}).content.decode()
    assert "older version" not in client.get(where, {"shown": "2"}).content.decode()


def test_a_project_of_many_rows_costs_no_more_queries(
    sign_in: Callable[[User], Client],
    lead: User,
    annotator: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
    django_assert_max_num_queries: Callable[[int], object],
) -> None:
    for document in add_documents(project, *[f"text {i}" for i in range(40)]):
        Annotation.objects.create(
            project=project, document=document, annotator=annotator, outcome="answered", seconds=2.0
        )
    for number in range(1, 12):
        _version(project, number, 0.5, stage="published" if number == 11 else "retired")
        TrainingRun.objects.create(project=project, family="tfidf", state="succeeded")
    client = sign_in(lead)
    with django_assert_max_num_queries(43):  # type: ignore[attr-defined]
        client.get(reverse("project", args=[project.slug]))
