"""What a worker does with a row, whatever the work is: claim it, keep its lease, end it with a reason."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from threading import Event, Thread
from typing import TypeVar

from django.conf import settings
from django.db import Error, connection
from django.utils.translation import gettext as _

from annotate.logs import context as log_context
from annotate.models.work import W, Work
from annotate.services.work import lease, workers
from annotate.services.work.progress import Superseded

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


def perform(
    model: type[W],
    pk: int,
    work: Callable[[W], Result],
    *,
    refusals: tuple[type[Exception], ...] = (),
) -> Result | None:
    """Do the work of a row if it is free, and return what came of it; None where nothing did.

    `refusals` are errors whose message is a sentence for the lead: to try again would not help. Anything
    else that is raised is tried again, at most three times in all. None of it is raised any further, but a
    signal that ends this process is: the row goes back, and that attempt does not count.
    """
    row = lease.claim(model, pk)
    if row is None:
        return None
    name = log_context.bound(work=f"{model.__name__}-{pk}")
    with name, workers.busy(model.__name__, pk, row.token), _kept(row):
        try:
            result = work(row)
        except Superseded:
            logger.info("%s %s was cancelled or taken over.", model.__name__, pk)
        except refusals as error:
            lease.outlasting(partial(lease.fail, row=row, error=str(error)))
        except Exception as error:
            logger.exception("%s %s broke off in attempt %s.", model.__name__, pk, row.attempt)
            sentence = _("An unforeseen error stopped this work: %(why)s. The worker's log has its details.")
            why = f"{type(error).__name__}: {error}".rstrip(". ")
            lease.outlasting(partial(lease.retry_or_fail, row=row, error=sentence % {"why": why}))
        except BaseException:
            lease.give_back(row=row)
            raise
        else:
            lease.outlasting(partial(lease.succeed, row=row))
            return result
    return None


@contextmanager
def _kept(row: Work) -> Iterator[None]:
    """Keep the lease through long stages, by a thread that needs no help of the work."""
    done = Event()
    thread = Thread(target=copy_context().run, args=(_beat, row, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _beat(row: Work, done: Event) -> None:
    """Extend the lease until the work is done or lost; what the database refuses is tried again at once."""
    wait = settings.RUN_LEASE_SECONDS / 3
    while not done.wait(wait):
        wait = settings.RUN_LEASE_SECONDS / 3
        try:
            if not lease.beat(row=row):
                return
        except Error as error:  # the database is busy or away
            logger.warning("A heartbeat of %s %s was missed: %s", type(row).__name__, row.pk, error)
            wait = min(wait, lease.AGAIN_SECONDS)
        finally:
            connection.close()
