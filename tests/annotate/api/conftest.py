"""API tests speak as a user's token, and predict with a real bundle, as small as can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from annotate.models import User
from annotate.services.people import api_keys
from annotate.services.people.api_keys import Scope
from annotate.services.versions import predictions


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    cache.clear()
    predictions.CACHE.clear()


@pytest.fixture
def bundle_root(tmp_path: Path, settings: Any) -> Path:
    settings.BUNDLE_ROOT = tmp_path
    return tmp_path


@pytest.fixture
def api() -> Callable[..., Client]:
    """Return a client that sends JSON with a fresh token of a user; all scopes, or those given."""

    def make(user: User, *scopes: str) -> Client:
        _key, secret = api_keys.issue(user=user, name="test", scopes=scopes or Scope.values)
        return Client(headers={"authorization": f"Bearer {secret}"}, raise_request_exception=False)

    return make
