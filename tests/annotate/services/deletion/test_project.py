"""A deleted project: hidden at once, and then gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from annotate import kinds
from annotate.models import Document, Embedding, Event, Import, Job, Project, Removal, TrainingRun, User
from annotate.models.events import EventKind
from annotate.models.jobs import JobKind
from annotate.services.deletion import documents
from annotate.services.deletion import project as deletion
from annotate.services.work import jobs, lease
from tests.annotate.made.searched import places_of
from tests.annotate.services.deletion.conftest import TEXT

Fill = Callable[[Project], Document]


def delete(project: Project, lead: User) -> Removal:
    (removal,) = deletion.delete(project=project, by=lead)
    deletion.run(removal.pk)
    removal.refresh_from_db()
    return removal


def test_nothing_of_it_is_left_in_the_database_or_on_the_disk(
    fill: Fill, project: Project, lead: User, home: Path
) -> None:
    fill(project)
    assert len(places_of(TEXT, home)) >= 10
    removal = delete(project, lead)
    assert (removal.state, removal.removed, removal.project) == ("succeeded", 2, None)
    assert places_of(TEXT, home) == []
    assert not Project.objects.exists()


def test_another_project_keeps_all_that_is_its_own(
    fill: Fill, project: Project, make_project: Callable[..., Project], lead: User, home: Path
) -> None:
    other = make_project(slug="shapes")
    fill(other)
    before = sorted(places_of(TEXT, home))
    fill(project)
    delete(project, lead)
    assert sorted(places_of(TEXT, home)) == before
    assert Embedding.objects.count() == 1  # of the text that the other project has as well


def test_it_is_hidden_before_it_is_gone_and_its_short_name_is_free(
    fill: Fill, project: Project, make_project: Callable[..., Project], lead: User, admin_user: User
) -> None:
    fill(project)
    deletion.delete(project=project, by=lead)
    for person in (lead, admin_user):
        assert not Project.objects.of(person).exists()
    assert make_project(slug="colours").pk != project.pk


def test_its_work_ends_and_a_worker_in_the_middle_is_refused(project: Project, lead: User) -> None:
    run = TrainingRun.objects.create(project=project, family="tfidf", reason="lead")
    held = lease.claim(TrainingRun, run.pk)
    assert held is not None
    Import.objects.create(project=project, name="mine.csv", state="queued")
    jobs.ask(kind=JobKind.VECTORS, project=project)
    (removal,) = deletion.delete(project=project, by=lead)
    assert not lease.beat(row=held)
    for rows in (TrainingRun.objects.all(), Import.objects.all(), Job.objects.all()):
        assert set(rows.values_list("state", flat=True)) == {"cancelled"}
    deletion.run(removal.pk)
    assert not lease.beat(row=held)
    assert not lease.succeed(row=held)


def test_a_removal_that_was_killed_goes_on(
    fill: Fill, project: Project, lead: User, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(project)
    monkeypatch.setattr(documents, "CHUNK", 1)
    (removal,) = deletion.delete(project=project, by=lead)
    with monkeypatch.context() as patch:
        patch.setattr(deletion.shutil, "rmtree", _killed)
        with pytest.raises(SystemExit):
            deletion.run(removal.pk)
    assert Project.objects.exists()
    deletion.run(removal.pk)
    removal.refresh_from_db()
    assert (removal.state, removal.removed) == ("succeeded", 2)
    assert places_of(TEXT, home) == []


def _killed(*_: object, **__: object) -> None:
    raise SystemExit


def test_the_tick_opens_a_removal_where_the_last_one_failed_and_has_rested(
    project: Project, lead: User
) -> None:
    (removal,) = deletion.delete(project=project, by=lead)
    assert deletion.due() == []
    Removal.objects.filter(pk=removal.pk).update(state="failed", finished_at=timezone.now())
    assert deletion.due() == []
    Removal.objects.update(finished_at=timezone.now() - deletion.REST)
    (again,) = deletion.due()
    assert kinds.kind_of(again).name == "remove"
    deletion.run(again.pk)
    assert not Project.objects.exists()


def test_a_project_that_nobody_deleted_is_never_removed(project: Project) -> None:
    removal = Removal.objects.create(project=project)
    deletion.run(removal.pk)
    assert Project.objects.filter(pk=project.pk).exists()
    assert deletion.due() == []


def test_the_log_tells_who_deleted_it_and_how_much(fill: Fill, project: Project, lead: User) -> None:
    fill(project)
    delete(project, lead)
    event = Event.objects.get(kind=EventKind.PROJECT_DELETED)
    assert (event.by, event.project_name, event.subject) == (lead, "Colours", "colours")
    assert event.details == {"documents": 2, "annotations": 1, "versions": 1, "files": 1}


def test_deleting_it_twice_is_deleting_it_once(project: Project, lead: User) -> None:
    assert len(deletion.delete(project=project, by=lead)) == 1
    assert deletion.delete(project=project, by=lead) == []
    assert Event.objects.filter(kind=EventKind.PROJECT_DELETED).count() == 1
