from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import Q
from django.utils import timezone

from annotate.models import Assignment, Document, Project, User
from annotate.services.labeling.hot_queries import CompiledQuery

pytestmark = pytest.mark.django_db


@pytest.fixture
def places(project: Project, annotator: User, add_documents: Any) -> list[Assignment]:
    made = []
    for rank, document in enumerate(add_documents(project, "one", "two", "three")):
        expires = timezone.now() + timedelta(minutes=rank - 1)
        made.append(
            Assignment.objects.create(
                project=project, document=document, rank=rank, card=uuid.uuid4(), expires_at=expires
            )
        )
    return made


def expired_or_shown(project: int, now: datetime, card: uuid.UUID) -> Any:
    found = Assignment.objects.filter(Q(expires_at__lt=now) | Q(card=card), project=project)
    return found.order_by("rank").values_list("pk", "card", "expires_at", "document__meta")


def test_it_gives_the_rows_of_the_query_for_the_parameters_of_each_call(
    project: Project, places: list[Assignment]
) -> None:
    compiled = CompiledQuery(expired_or_shown, project=int, now=datetime, card=uuid.UUID)
    for card in (places[1].card, places[2].card, uuid.uuid4()):
        asked = {"project": project.pk, "now": timezone.now(), "card": card}
        assert compiled.rows(**asked) == list(expired_or_shown(**asked))
    assert compiled.first(project=project.pk + 1, now=timezone.now(), card=uuid.uuid4()) is None


def test_it_asks_for_every_parameter(project: Project) -> None:
    compiled = CompiledQuery(
        lambda project: Document.objects.filter(project=project).values_list("pk"), project=int
    )
    with pytest.raises(KeyError):
        compiled.rows()
