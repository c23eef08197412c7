"""What a lead sees of the jobs of a project, and how they cancel one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Document, ModelVersion, Project, User
from annotate.models.jobs import JobKind
from annotate.services.work import jobs, lease
from annotate.services.work.jobs import Turn
from annotate.services.work.progress import ProgressMeter, Superseded

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(
    sign_in: Callable[[User], Client],
    lead: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
) -> Client:
    add_documents(project, "a rose")
    return sign_in(lead)


@pytest.mark.parametrize("page", ["project", "project-live", "runs"])
@pytest.mark.parametrize("kind", JobKind)
def test_a_lead_cancels_a_job_of_each_kind_where_they_see_it(
    kind: JobKind, page: str, client: Client, project: Project, lead: User
) -> None:
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=2, holdout_documents=0
    )
    (job,) = jobs.ask(kind=kind, project=project, version=version if kind is JobKind.RESCORE else None)
    address = reverse("job-cancel", args=[project.slug, job.pk])
    shown = client.get(reverse(page, args=[project.slug])).content.decode()
    assert address in shown
    assert str(kind.label) in shown
    told = client.post(address, follow=True).content.decode()
    assert "is cancelled" in told
    job.refresh_from_db()
    assert (job.state, job.cancelled_by) == ("cancelled", lead)
    assert address not in client.get(reverse(page, args=[project.slug])).content.decode()
    assert "over already" in client.post(address, follow=True).content.decode()


def test_a_job_in_the_middle_of_its_turn_stops_at_its_next_step(client: Client, project: Project) -> None:
    (job,) = jobs.ask(kind=JobKind.VECTORS, project=project)
    went_on = []

    def cancelled_meanwhile(row: object, meter: ProgressMeter) -> Turn:
        meter("vectors", 0.1)
        client.post(reverse("job-cancel", args=[project.slug, job.pk]))
        with pytest.raises(Superseded):
            meter("neighbours", 0.5)
        went_on.append(lease.succeed(row=job))
        raise Superseded

    assert jobs.do(job.pk, cancelled_meanwhile) == ()
    assert went_on == [False]
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_what_a_lead_has_cancelled_is_not_opened_again_a_minute_later(
    client: Client, project: Project
) -> None:
    (job,) = jobs.ask(kind=JobKind.VECTORS, project=project)
    client.post(reverse("job-cancel", args=[project.slug, job.pk]))
    assert jobs.ask_if_rested(kind=JobKind.VECTORS, project=project) == []
    assert len(jobs.ask(kind=JobKind.VECTORS, project=project)) == 1  # something new needs it


def test_a_job_of_another_project_cannot_be_cancelled(client: Client, multi_project: Project) -> None:
    (job,) = jobs.ask(kind=JobKind.VECTORS, project=multi_project)
    other = Project.objects.exclude(pk=multi_project.pk).get()
    assert client.post(reverse("job-cancel", args=[other.slug, job.pk])).status_code == 404
    job.refresh_from_db()
    assert job.state == "queued"
