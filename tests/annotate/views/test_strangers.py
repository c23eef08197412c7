"""No address of a project, present or future, shows a stranger that the project exists."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from annotate.models import Project, User
from annotate.urls import urlpatterns

OF_A_PROJECT = [
    pattern
    for pattern in urlpatterns
    if isinstance(pattern, URLPattern) and "slug" in pattern.pattern.converters
]
VALUES = {
    "slug": "colours",
    "format": "jsonl",
    "key": str(UUID(int=1)),
}  # every other part of an address is a number


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("pattern", OF_A_PROJECT, ids=lambda pattern: pattern.name)
def test_a_stranger_finds_nothing_at(
    pattern: URLPattern, stranger: User, sign_in: Callable[[User], Client]
) -> None:
    words = {name: VALUES.get(name, 1) for name in pattern.pattern.converters}
    address, client = reverse(str(pattern.name), kwargs=words), sign_in(stranger)
    statuses = {client.get(address).status_code, client.post(address).status_code}
    assert 404 in statuses
    assert statuses <= {404, 405}


def test_there_are_addresses_to_try(project: Project) -> None:
    assert len(OF_A_PROJECT) > 20
    assert project.slug == VALUES["slug"]
