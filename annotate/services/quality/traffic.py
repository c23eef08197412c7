"""What a version says of the texts that programs asked about lately, where the project keeps some of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import AskedText, ModelVersion
from annotate.services.sentences import translated
from annotate.services.versions import predictions
from training.bundles.span_predictor import SpanPredictor
from training.types import FloatArray, TrainingError

DAYS = 7
MOST = 200  # texts, which any family answers about while a page is awaited


class NoTraffic(Exception):
    """What would change in the traffic cannot be told; the message is a sentence for its reader."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Texts, the newest first, and their scores (texts, labels)."""

    texts: tuple[str, ...]
    scores: FloatArray


def last_week(version: ModelVersion) -> Traffic:
    """Return the newest kept texts of the last days with the version's scores; raises `NoTraffic`."""
    since = timezone.now() - timedelta(days=DAYS)
    rows = AskedText.objects.filter(project=version.project, created_at__gte=since).order_by("-pk")
    texts = list(dict.fromkeys(rows.values_list("text", flat=True)[:MOST]))
    if not texts:
        raise NoTraffic(
            _(
                "What changes for programs cannot be told: no text of the last 7 days is kept. The drift "
                "page says until which day texts are kept."
            )
        )
    try:
        predictor = predictions.CACHE.get(version, encoder_root=settings.ENCODER_ROOT)
        if isinstance(predictor, SpanPredictor):
            raise NoTraffic(_("Versions that mark pieces of texts have no thresholds of labels."))
        scores = predictor.predict_proba(texts)
    except TrainingError as error:
        why = {"why": translated(str(error))}
        raise NoTraffic(_("What changes for programs cannot be told: %(why)s") % why) from error
    return Traffic(tuple(texts), np.asarray(scores, np.float32))
