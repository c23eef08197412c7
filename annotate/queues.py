"""The queues that workers serve: settings, programs, pages and tests ask here for their names."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

INTERACTIVE = "interactive"
TRAINING = "training"
FINETUNING = "finetuning"
TICK = "tick"  # no queue, but what gives a sign of life as the workers of queues do

# What people are told where no worker serves the queue.
QUEUES = {
    INTERACTIVE: _("Imports and suggestions wait until one runs; labels are kept."),
    TRAINING: _("Models do not learn until one runs; labels are kept."),
    FINETUNING: _("Fine-tuning waits until one runs; the quick models learn as ever."),
}
