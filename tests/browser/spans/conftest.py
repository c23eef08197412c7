from __future__ import annotations

from collections.abc import Callable

import pytest

from annotate.models import Project


@pytest.fixture
def entities(make_project: Callable[..., Project]) -> Project:
    return make_project(slug="entities", labels=("person", "place", "product"), task="span")
