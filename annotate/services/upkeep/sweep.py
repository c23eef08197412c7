"""One sweep: each sweeper of the table in turn; one that fails stops no other, and the row says which did."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from annotate.models import Sweep
from annotate.services.upkeep import files, rows
from annotate.services.work import lease
from annotate.services.work.perform import perform
from annotate.services.work.progress import ProgressMeter, Superseded

logger = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
# Each gets the seconds for which nothing of a file must have changed, and returns how much it removed.
# docs/deployment.md says what is kept for how long.
SWEEPERS: dict[str, Callable[[float], int]] = {
    "bundles": files.bundles,
    "encoder drafts": files.encoder_drafts,
    "tuned encoders": files.tuned_encoders,
    "scratch folders": files.scratch_folders,
    "exports": files.exports,
    "uploads": files.uploads,
    "worker files": files.worker_files,
    "temporary files": files.temporary_files,
    "static files": files.static_files,
    "sessions": rows.sessions,
    "wrong passwords": rows.guesses,
    "mails": rows.mails,
    "messages to webhooks": rows.webhook_messages,
    "cards": rows.cards,
    "publications": rows.publications,
    "runs": rows.runs,
    "batches": rows.batches,
    "vectors": rows.vectors,
    "administrators' log": rows.admin_log,
    "texts of programs": rows.asked_texts,
    "bulk previews": rows.previews,
    "sweeps": rows.sweeps,
}


class SweepFailed(Exception):
    """Some sweepers failed; the message names them, and the log has what happened."""


def due() -> list[Sweep]:
    """Open a sweep where the last one was begun an hour ago."""
    if Sweep.objects.filter(created_at__gt=timezone.now() - EVERY).exists():
        return []
    return [] if Sweep.objects.live().exists() else [Sweep.objects.create(woken_at=timezone.now())]


def run(sweep_id: int) -> list[Sweep]:
    perform(Sweep, sweep_id, _sweep)
    return []  # nothing follows


def _sweep(row: Sweep) -> None:
    untouched, meter = files.untouched_seconds(), ProgressMeter(row)
    removed, failed = {}, []
    for done, (name, sweeper) in enumerate(SWEEPERS.items()):
        meter("sweep", done / len(SWEEPERS))
        try:
            removed[name] = sweeper(untouched)
        except Exception:
            logger.exception("The sweeper of %s failed.", name)
            failed.append(name)
    if not lease.beat(row=row, removed={name: count for name, count in removed.items() if count}):
        raise Superseded
    if failed:
        raise SweepFailed(", ".join(failed))
