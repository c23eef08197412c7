"""Settings of the killed site: one family that waits in the middle of its fit, and a lease of ten minutes.

What was killed has to come back by its worker's death, as no test waits for so long.
"""

from __future__ import annotations

from dataclasses import replace

from tests.loop.loop_settings import *  # noqa: F403
from tests.settings import STORAGES  # noqa: F401  # pages without a manifest of static files
from training.registry import FAMILIES

RUN_LEASE_SECONDS = 600
FAMILIES["tfidf"] = replace(FAMILIES["tfidf"], path="tests.loop.killed.waiting:WaitingModel")
