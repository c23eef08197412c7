"""Every migration can be taken back and made again, and what people have answered stays."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotate.models import Decision, Document, Project, User
from annotate.services.labeling import api_decisions
from training.types import Answer

FIRST = ("annotate", "0015_answers")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def executor() -> Iterator[MigrationExecutor]:
    executor = MigrationExecutor(connection)
    yield executor
    executor.loader.build_graph()
    executor.migrate(executor.loader.graph.leaf_nodes("annotate"))


def kept() -> list[dict[str, object]]:
    fields = "annotation__document__text", "annotation__choices__label", "answer", "outcome"
    return list(Decision.objects.order_by("pk", "annotation__choices__label").values(*fields))


def test_they_go_back_and_forth(
    executor: MigrationExecutor,
    make_project: Callable[..., Project],
    annotator: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    project = make_project(task="multi")
    labels = [label.pk for label in project.labels.all()]
    documents = add_documents(project, "one", "two", "three")
    for document, said in zip(documents, (labels[:1], labels, []), strict=True):
        api_decisions.submit(
            document=document,
            annotator=annotator,
            key=uuid.uuid4(),
            outcome="answered",
            answer=Answer(tuple(said)),
        )
    before = kept()
    assert len(before) == 1 + len(labels) + 1
    executor.migrate([FIRST])
    executor.loader.build_graph()
    executor.migrate(executor.loader.graph.leaf_nodes("annotate"))
    assert kept() == before
