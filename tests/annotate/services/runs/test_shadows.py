"""When shadow models are trained, of which documents, and what the page tells of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from annotate import kinds, tasks
from annotate.models import Assignment, Batch, Document, ModelVersion, Project, Shadow, TrainingRun, User
from annotate.models.jobs import JobKind
from annotate.models.queue import AssignmentState
from annotate.models.work import WorkState
from annotate.queues import FINETUNING
from annotate.services.labeling import queue
from annotate.services.runs import shadows
from annotate.services.work import jobs
from tests.annotate.services.conftest import WORDS
from training.figures.evidence import FEWEST_DRAWN

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("only_tfidf")]


@pytest.fixture
def version(project: Project) -> ModelVersion:
    run = TrainingRun.objects.create(project=project, family="tfidf", reason="lead", state="succeeded")
    return ModelVersion.objects.create(
        project=project, run=run, number=1, family="tfidf", labelled=9, holdout_documents=30, bundle="one",
        stage="published", label_ids=list(project.labels.values_list("pk", flat=True)),
    )  # fmt: skip


@pytest.fixture
def label(
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    annotate: Callable[..., Any],
) -> Callable[..., None]:
    """Label so many documents, of the colours in turn; as the queue hands them out, or as a file brings."""
    batch = Batch.objects.create(project=project, strategy="margin")

    def label(number: int, *, random: bool = False, by_queue: bool = True, outcome: str = "answered") -> None:
        start = project.documents.count()
        for i in range(start, start + number):
            name = list(WORDS)[i % 3]
            (document,) = add_documents(project, f"{WORDS[name][i % 4]} {WORDS[name][i // 3 % 4]} {i}")
            if by_queue:
                Assignment.objects.create(
                    project=project, document=document, batch=batch, rank=i, is_random=random,
                    annotator=annotator, state=AssignmentState.DONE,
                )  # fmt: skip
            annotate(document, annotator, *([name] if outcome == "answered" else []), outcome=outcome)

    return label


def work(version: ModelVersion) -> str:
    (job,) = jobs.ask(kind=JobKind.SHADOW, project=version.project, version=version)
    tasks.work("shadow", job.pk)
    job.refresh_from_db()
    return job.state


def test_one_is_due_with_enough_answered_draws_and_once_for_a_version(
    version: ModelVersion, label: Callable[..., None]
) -> None:
    label(30)
    label(FEWEST_DRAWN - 1, random=True)
    label(1, random=True, outcome="skipped")
    assert list(shadows.due()) == []
    label(1, random=True)
    (job,) = shadows.due()
    assert (job.kind, job.version) == (JobKind.SHADOW, version)  # type: ignore[attr-defined]
    assert kinds.kind_of(job).queue == FINETUNING  # apart from the runs that people wait for
    assert list(shadows.due()) == []
    job.state = WorkState.SUCCEEDED
    job.save()
    assert list(shadows.due()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"holdout_documents": 9}, {"family": "cascade"}, {"family": "transformer"},
        {"run__config": {"teacher": "transformer"}}, {"project__training_enabled": False},
    ],
)  # fmt: skip
def test_none_is_due_where_it_would_say_nothing(
    version: ModelVersion, label: Callable[..., None], change: dict[str, Any]
) -> None:
    label(FEWEST_DRAWN, random=True)
    for name, value in change.items():
        of, _, field = name.rpartition("__")
        row = getattr(version, of) if of else version
        type(row).objects.filter(pk=row.pk).update(**{field: value})
    assert list(shadows.due()) == []


@pytest.mark.parametrize(("config", "read"), [({}, "its own"), ({"encoder": "tuned"}, "the site's")])
def test_an_encoder_that_knows_the_labels_is_not_compared_by(
    version: ModelVersion,
    label: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, str],
    read: str,
) -> None:
    label(FEWEST_DRAWN, random=True)
    version.run.config = config  # type: ignore[union-attr]
    version.run.save()  # type: ignore[union-attr]
    assert [job.version for job in shadows.due()] == [version]
    monkeypatch.setattr(shadows, "embedder_of", lambda version: "its own")
    monkeypatch.setattr(shadows.vector_store, "any_for", lambda project: True)
    monkeypatch.setattr(shadows.vector_store, "embedder", lambda: "the site's")
    assert shadows._embedder(version) == read


def test_the_next_one_waits_until_more_was_drawn(version: ModelVersion, label: Callable[..., None]) -> None:
    label(FEWEST_DRAWN + 9, random=True)
    Shadow.objects.create(
        version=version, labels=FEWEST_DRAWN, documents=30, drawn_f1=0.5, drawn_low=0.4, drawn_high=0.6,
        chosen_f1=0.5, chosen_low=0.4, chosen_high=0.6, needed=None, fewest=40, most=None, tried=100,
    )  # fmt: skip
    version.pk, version.number, version.stage = None, 2, "candidate"
    version.save()
    project = version.project
    project.versions.filter(number=1).update(stage="retired")
    assert list(shadows.due()) == []
    label(1, random=True)
    assert [job.version.number for job in shadows.due()] == [2]  # type: ignore[attr-defined]


def test_it_compares_what_was_drawn_with_what_was_chosen_and_leaves_imports_out(
    version: ModelVersion, label: Callable[..., None], label_colours: Callable[..., None], annotator: User
) -> None:
    label(20, by_queue=False)
    label(60)
    label(FEWEST_DRAWN, random=True)
    label_colours(version.project, annotator, each=10, lane="holdout")
    assert work(version) == WorkState.SUCCEEDED
    found = version.shadow
    assert (found.documents, found.labels >= FEWEST_DRAWN) == (30, True)
    assert found.tried <= 60 + FEWEST_DRAWN  # none of the 20 that a file brought
    assert found.drawn_low <= found.drawn_f1 <= found.drawn_high
    assert found.chosen_low <= found.chosen_f1 <= found.chosen_high
    assert version.project.jobs.filter(kind=JobKind.SHADOW, state=WorkState.FAILED).count() == 0


def test_too_few_documents_leave_no_figure(version: ModelVersion, label: Callable[..., None]) -> None:
    label(60)
    label(FEWEST_DRAWN, random=True)  # and no holdout document reports
    assert work(version) == WorkState.SUCCEEDED
    assert not Shadow.objects.exists()


def test_random_documents_of_a_batch_are_marked_and_others_not(
    project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    documents = add_documents(project, *(f"text {i}" for i in range(6)))
    keys = [document.pk for document in documents]
    project.holdout_queue_share = 0
    queue.refill(
        project=project, strategy="margin", version=None, documents=keys[:4], drawn={keys[1], keys[3]}
    )
    marked = Assignment.objects.filter(is_random=True).values_list("document", flat=True)
    assert set(marked) == {keys[1], keys[3]}


def test_documents_that_fill_an_empty_queue_are_drawn(
    project: Project, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(project, "one", "two")
    add_documents(project, "three", lane="holdout")
    queue.top_up(project=project)
    drawn = Assignment.objects.filter(is_random=True).values_list("document__text", flat=True)
    assert set(drawn) == {"one", "two"}


def shadow_of(version: ModelVersion, **fields: Any) -> Shadow:
    usual = {
        "labels": 100, "documents": 30, "tried": 220, "needed": 60, "fewest": 45, "most": 80,
        "drawn_f1": 0.5, "drawn_low": 0.4, "drawn_high": 0.6,
        "chosen_f1": 0.7, "chosen_low": 0.6, "chosen_high": 0.8,
    }  # fmt: skip
    return Shadow.objects.create(version=version, **usual | fields)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "60 labels of chosen documents give what 100 of drawn ones give: about 40 labels saved"),
        ({}, "labels saved, between 20 and 55."),
        ({"most": 100}, "It is not sure that choosing has saved labels"),
        ({"most": None}, "60 of chosen ones, between 45 and more than 220."),
        ({"needed": None, "fewest": None, "most": None}, "takes more than 220 of chosen ones"),
    ],
)  # fmt: skip
def test_the_pages_tell_it_with_its_interval(
    version: ModelVersion,
    lead: User,
    sign_in: Callable[[User], Client],
    label: Callable[..., None],
    fields: dict[str, Any],
    sentence: str,
) -> None:
    label(1)
    shadow_of(version, **fields)
    client = sign_in(lead)
    assert sentence in client.get(reverse("saved-labels", args=["colours"])).content.decode()
    assert sentence in client.get(reverse("project", args=["colours"])).content.decode()
    rows = client.get(reverse("saved-labels-csv", args=["colours"])).content.decode("utf-8-sig").splitlines()
    assert rows[0].startswith("version,labels,holdout_documents,drawn_f1,drawn_low")
    wanted = ["" if fields.get(name, usual) is None else str(fields.get(name, usual))
              for name, usual in (("needed", 60), ("fewest", 45), ("most", 80))]  # fmt: skip
    assert rows[1].split(",")[9:12] == wanted


def test_hours_saved_are_those_of_the_labels_by_the_projects_own_seconds(
    version: ModelVersion, lead: User, sign_in: Callable[[User], Client], label: Callable[..., None]
) -> None:
    label(20)
    cache.clear()
    version.project.annotations.update(seconds=36)
    shadow_of(version)
    page = sign_in(lead).get(reverse("saved-labels", args=["colours"])).content.decode()
    assert "0.2 over 20 decisions whose times are known" in page
    assert "about 0.40, between 0.20 and 0.55, at 36.0" in page


def test_without_a_draw_a_sentence_says_what_is_missing(
    project: Project, lead: User, sign_in: Callable[[User], Client], label: Callable[..., None]
) -> None:
    label(3, random=True)
    page = sign_in(lead).get(reverse("saved-labels", args=["colours"])).content.decode()
    assert "from 50 answered documents on that were drawn at random; there are 3." in page
    assert "Each batch holds some: 2 % in this project." in page
