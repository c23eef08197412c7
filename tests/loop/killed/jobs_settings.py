"""Settings of a site whose jobs wait in the middle of a turn, with a lease of ten minutes."""

from __future__ import annotations

from annotate.settings import *  # noqa: F403

RUN_LEASE_SECONDS = 600
INSTALLED_APPS = [*INSTALLED_APPS, "tests.loop.killed.waiting_jobs"]  # noqa: F405
