from __future__ import annotations

import logging
import os
import signal
import time
import warnings
from typing import Any

from celery import Celery, bootsteps
from celery.concurrency.prefork import TaskPool
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import (
    before_task_publish,
    celeryd_after_setup,
    setup_logging,
    task_prerun,
    task_received,
    worker_shutting_down,
)

from annotate.environment import keep_files_private, open_standard_streams
from annotate.logs import context as log_context
from annotate.outages import messages

open_standard_streams()
keep_files_private()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")

COLD_SECONDS = 6
REST_SECONDS = 60.0
LOOK_SECONDS = 10.0
# The task that does rows of work. The other one, the tick, loads nothing.
HEAVY = "annotate.tasks.work"


class Renewal(bootsteps.StartStopStep):
    """Replaces the children of a worker that has had no work for a while.

    What a child has imported and loaded for its work, most of a gigabyte after a training, stays with it, so
    that the next run need not wait for it. When no more work comes, it only takes up memory. This step lives
    in the worker's event loop, where tasks are handed to children, and the pool replaces idle children only.
    """

    requires = ("celery.worker.components:Timer", "celery.worker.components:Pool")

    def __init__(self, worker: Any, **_: Any) -> None:
        self._worked_at: float | None = None  # None: all children are as new
        self._used: set[int] = set()
        task_received.connect(self._note, weak=True)

    def start(self, worker: Any) -> None:
        if isinstance(worker.pool, TaskPool):
            worker.timer.call_repeatedly(LOOK_SECONDS, self.look, (worker.pool,))

    def _note(self, request: Any, **_: Any) -> None:
        if request.name == HEAVY:
            self._worked_at = time.monotonic()

    def look(self, pool: Any) -> None:
        """Replace the children that have worked, once the last work came long enough ago."""
        children = set(pool.info["processes"])
        if self._worked_at is not None:
            self._used = children
            if time.monotonic() - self._worked_at < REST_SECONDS:
                return
            self._worked_at = None
        for _ in self._used & children:
            try:
                pool.shrink(1)
            except ValueError:  # none is idle: another look will find one
                return
            pool.grow(1)


messages.use()
app = Celery("annotate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["annotate"])
app.steps["worker"].add(Renewal)


@setup_logging.connect
def log_as_the_web_process_does(loglevel: int, **_: Any) -> None:
    """Keep Celery from putting its own handlers in the place of ours; Django has set these up before."""
    logging.getLogger().setLevel(loglevel)


@celeryd_after_setup.connect
def say_less(**_: Any) -> None:
    """Leave out ten lines about a setting at each loss of the broker. NB: Celery has just asked for them."""
    warnings.filterwarnings("ignore", r"\s*In Celery 5\.1", CPendingDeprecationWarning)


@before_task_publish.connect
def send_request_id(headers: dict[str, Any], **_: Any) -> None:
    headers.update(log_context.message_headers())


@task_prerun.connect
def know_request_id(task: Any, **_: Any) -> None:
    log_context.begin(task.request.get(log_context.MESSAGE_HEADER) or "")


@worker_shutting_down.connect
def end_at_last(how: str, **_: Any) -> None:
    """End a worker that shuts down while the broker is gone; Celery 5.7 would wait for it for ever."""
    if how == "Cold":
        signal.alarm(COLD_SECONDS)  # the default action of the alarm ends the process
