"""Settings of a site that is killed fifty times: its one family leaves files wherever one may."""

from __future__ import annotations

from dataclasses import replace

from tests.loop.loop_settings import *  # noqa: F403
from training.registry import FAMILIES

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
RUN_LEASE_SECONDS = 600
FAMILIES["tfidf"] = replace(FAMILIES["tfidf"], path="tests.loop.killed.waiting:MessyModel")
