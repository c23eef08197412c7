"""A site in a database of its own, for benches that call the site's code and start no server."""

from __future__ import annotations

import os
import tempfile

import django


def prepare(name: str) -> tempfile.TemporaryDirectory[str]:
    """Set Django up on an empty folder and return that; to be called before any model is imported."""
    home = tempfile.TemporaryDirectory(prefix=f"winnow-{name}-")
    os.environ.update(
        WINNOW_HOME=home.name,
        DJANGO_SETTINGS_MODULE="annotate.settings",
        DATABASE_URL="",
        WINNOW_PROJECTS_PER_DAY="100000",
    )
    django.setup()
    return home
