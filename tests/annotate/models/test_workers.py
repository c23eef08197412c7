from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import WorkerPulse

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("seconds", "alive"), [(0, True), (25, True), (35, False)])
def test_a_queue_is_served_while_its_worker_was_seen_within_half_a_minute(seconds: int, alive: bool) -> None:
    WorkerPulse.objects.create(queue="training", seen_at=timezone.now() - timedelta(seconds=seconds))
    assert WorkerPulse.objects.alive().exists() is alive
