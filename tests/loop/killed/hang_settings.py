"""Settings of a site whose one family hangs, and whose stages may be silent for some seconds only."""

from __future__ import annotations

from dataclasses import replace

from tests.loop.loop_settings import *  # noqa: F403
from training.registry import FAMILIES

STAGE_LIMIT_FACTOR = 0.005
FAMILIES["tfidf"] = replace(FAMILIES["tfidf"], path="tests.loop.killed.waiting:HangingModel")
