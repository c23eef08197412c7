from __future__ import annotations

import os
import signal
from typing import Any

from celery import Celery
from celery.signals import worker_shutting_down

from annotate.environment import keep_files_private

keep_files_private()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")

COLD_SECONDS = 6

app = Celery("annotate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["annotate"])


@worker_shutting_down.connect
def end_at_last(how: str, **_: Any) -> None:
    """End a worker that shuts down while the broker is gone; Celery 5.7 would wait for it for ever."""
    if how == "Cold":
        signal.alarm(COLD_SECONDS)  # the default action of the alarm ends the process
