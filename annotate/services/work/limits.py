"""How long each stage of work may go without a word before it counts as hanging."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models.work import Work

# Seconds. A stage that tells how far it is may take longer than this: only its silence counts. Where an
# encoder may have to be fetched and exported first, or a graph is built in one piece, ten minutes are normal.
SILENT_SECONDS: Mapping[str, float] = {
    "": 1800,  # an import tells rows and no stage; a large workbook is unpacked before its first row
    "read": 300,
    "vectors": 900,
    "neighbours": 1800,
    "tune the encoder": 1800,
    "calibrate": 1800,
    "teach": 900,
    "fit": 900,
    "tune": 1800,  # by up to three further fits
    "export": 600,
    "evaluate": 600,
    "publish": 300,
    "done": 300,
    "judge": 600,
    "choose": 300,
    "predict": 600,
    "ask": 300,
    "measure": 900,
    "sweep": 900,
    "remove": 300,
    "write": 600,
    "restore": 900,
    "index": 300,
    "change": 300,
}
# A family that takes minutes may be silent for as many times as long: while it loads and exports a network.
SLOW = 3


def silent_seconds(row: Work) -> float:
    """Return how long the row's stage may be silent."""
    seconds = SILENT_SECONDS.get(row.stage, SILENT_SECONDS["fit"])
    return seconds * (SLOW if getattr(row, "is_slow", False) else 1) * float(settings.STAGE_LIMIT_FACTOR)


def overdue(row: Work) -> str:
    """Return why a running row is to be ended, as a sentence for the lead; "" for one that may go on."""
    now = timezone.now()
    stage = row.stage or _("start")
    if row.noted_at and (now - row.noted_at).total_seconds() > silent_seconds(row):
        return _(
            "This work hung in the stage “%(stage)s”: it gave no sign for %(seconds)d seconds, so its "
            "process was ended. The worker's log may say why; on a slow machine raise "
            "WINNOW_STAGE_LIMIT_FACTOR."
        ) % {"stage": stage, "seconds": silent_seconds(row)}
    if row.started_at and (now - row.started_at).total_seconds() > settings.RUN_HARD_LIMIT_SECONDS:
        return _(
            "This work took longer than %(seconds)d seconds, so it was ended in the stage “%(stage)s”. "
            "Give it less to do, or raise WINNOW_RUN_HARD_LIMIT_SECONDS."
        ) % {"stage": stage, "seconds": settings.RUN_HARD_LIMIT_SECONDS}
    return ""
