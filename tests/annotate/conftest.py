"""What holds for the whole run of the site's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection

from annotate.services.versions import guesses


@pytest.fixture(autouse=True)
def _versions_are_new() -> Iterator[None]:
    """Forget what was known of versions: a database that is rolled back gives their keys out again."""
    yield
    guesses.is_calibrated.cache_clear()
    cache.clear()


@pytest.fixture(scope="session", autouse=True)
def _no_deadlock(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Fail the run where PostgreSQL had to end a deadlock, also one whose error nobody saw.

    NB: asked before the database is dropped, and its counts with it.
    """
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            (found,) = cursor.fetchone()
        assert not found, f"PostgreSQL ended {found} deadlocks while these tests ran."
