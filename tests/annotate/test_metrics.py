"""What Prometheus reads of the site, and who else does not."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from annotate.models import Document, PredictionTally, Project, TrainingRun, User
from annotate.models.jobs import JobKind
from annotate.services.labeling import api_decisions
from annotate.services.work import jobs
from tests.annotate.made.bundles import add_version
from training.types import Answer

TOKEN = {"Authorization": "Bearer a-long-word"}


@pytest.fixture
def scraped(settings: Any) -> None:
    settings.METRICS_TOKEN = "a-long-word"


def read(**options: Any) -> str:
    answer = Client().get("/metrics", **options)
    return answer.content.decode() if answer.status_code == 200 else ""


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, TOKEN, {"Authorization": "Bearer "}])
def test_nobody_reads_it_where_the_environment_names_nobody(headers: dict[str, str]) -> None:
    assert read(headers=headers) == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    "token", ["", "Bearer ", "Bearer a-long-wor", "Bearer a-long-word ", "Basic a-long-word"]
)
def test_another_token_reads_nothing(token: str, scraped: None) -> None:
    assert read(headers={"Authorization": token}) == ""
    assert read(headers={"X-Forwarded-For": "10.1.2.3"}) == ""


@pytest.mark.django_db
def test_a_network_that_is_named_reads_it_without_a_token(settings: Any) -> None:
    settings.METRICS_NETWORKS = ["10.1.0.0/16", "2001:db8::/32"]
    for address in ("10.1.2.3", "2001:db8::7", "::ffff:10.1.2.3"):
        assert "winnow_decisions" in read(REMOTE_ADDR=address)
    for address in ("10.2.2.3", "127.0.0.1", "2001:db9::7", ""):
        assert read(REMOTE_ADDR=address) == ""


@pytest.mark.django_db
def test_what_the_database_knows_is_counted_when_it_is_asked(
    scraped: None,
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    tmp_path: Path,
    settings: Any,
) -> None:
    settings.BUNDLE_ROOT = tmp_path
    (document,) = add_documents(project, "one")
    label = project.labels.all()[0].pk
    api_decisions.submit(
        document=document,
        annotator=annotator,
        key=uuid.uuid4(),
        outcome="answered",
        answer=Answer((label,)),
    )
    now = timezone.now()
    PredictionTally.objects.create(
        project=project, version=add_version(project, tmp_path), texts=7, began_at=now, ended_at=now
    )
    for state in ("failed", "failed", "succeeded"):
        TrainingRun.objects.create(project=project, family="tfidf", state=state)
    jobs.ask(kind=JobKind.VECTORS, project=project)
    found = read(headers=TOKEN)
    for line in (
        "winnow_decisions 1.0",
        "winnow_predictions 7.0",
        'winnow_runs{family="tfidf",state="failed"} 2.0',
        'winnow_work_waiting{queue="training"} 1.0',
        'winnow_work_waiting{queue="interactive"} 0.0',
    ):
        assert line in found.splitlines()


@pytest.mark.django_db
def test_requests_are_counted_by_the_name_of_their_address_alone(scraped: None, project: Project) -> None:
    Client().get("/login/")
    Client().get("/projects/a-secret-name/")
    found = read(headers=TOKEN)
    assert 'winnow_request_seconds_count{address="login"}' in found
    assert "a-secret-name" not in found


SEVERAL = """
import os, sys
import django
django.setup()
from annotate.views import metrics
if sys.argv[1] == "note":
    metrics.REQUEST_SECONDS.labels("login").observe(0.2)
else:
    from prometheus_client import CollectorRegistry, generate_latest
    registry = CollectorRegistry()
    metrics.MultiProcessCollector(registry, metrics.SHARED)
    sys.stdout.write(generate_latest(registry).decode())
"""


def test_what_several_processes_noted_is_read_as_one(tmp_path: Path) -> None:
    environ = os.environ | {
        "WINNOW_METRICS_TOKEN": "a-long-word",
        "WINNOW_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "annotate.settings",
    }

    def process(what: str) -> str:
        command = [sys.executable, "-c", SEVERAL, what]
        return subprocess.run(
            command, env=environ, cwd=django_settings.BASE_DIR, check=True, capture_output=True, text=True
        ).stdout

    process("note")
    process("note")
    assert 'winnow_request_seconds_count{address="login"} 2.0' in process("read")
