"""A project of one label, and one whose labels have no holdout documents: each page has a sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import ModelVersion, Project, User
from annotate.models.documents import Half
from tests.annotate.made.scored import add_scored, hold_out

pytestmark = pytest.mark.django_db
OF_A_VERSION = ("version", "version-thresholds", "version-confidence", "version-card")
OF_A_PROJECT = ("versions", "shares", "drift", "project")


@pytest.fixture(params=["single", "multi"])
def one_label(request: pytest.FixtureRequest, make_project: Callable[..., Project]) -> Project:
    return make_project(slug="alone", labels=("only",), task=request.param)


def read(client: Client, version: ModelVersion) -> dict[str, str]:
    """Read every page about a version, and those of its project; each has to answer."""
    slug = version.project.slug
    addresses = {name: reverse(name, args=[slug, version.number]) for name in OF_A_VERSION}
    addresses |= {name: reverse(name, args=[slug]) for name in OF_A_PROJECT}
    found = {}
    for name, address in addresses.items():
        answer = client.get(address)
        assert answer.status_code == 200, name
        found[name] = " ".join(answer.content.decode().split())
    return found


def test_a_project_of_one_label_has_all_its_pages(
    one_label: Project, annotator: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    documents = hold_out(one_label, annotator, [["only"]] * 30)
    version = add_scored(
        one_label, documents, [[0.9]] * 30, raw=[[0.9]] * 30, thresholds=(0.5,), stage="published"
    )
    read(sign_in(lead), version)


def test_a_label_without_holdout_documents_is_told_as_such(
    multi_project: Project, annotator: User, lead: User, sign_in: Callable[[User], Client]
) -> None:
    halves = (Half.TUNING, Half.REPORTING)
    documents = [row for half in halves for row in hold_out(multi_project, annotator, [["red"]] * 15, half)]
    scores = [(0.8, 0.1, 0.1)] * 30
    version = add_scored(multi_project, documents, scores, raw=scores, stage="published")
    client = sign_in(lead)
    read(client, version)
    blue = multi_project.labels.get(name="blue").pk
    page = client.get(reverse("version-thresholds", args=[multi_project.slug, 1]), {"curve": blue})
    assert "No document of the tuning half has this label" in page.content.decode()
