"""Settings of the idle test's site: the family that reads texts by an encoder, named by WINNOW_ENCODER."""

from __future__ import annotations

from annotate.settings import *  # noqa: F403
from training.registry import FAMILIES

for family in [key for key in FAMILIES if key != "embedding"]:
    del FAMILIES[family]
