"""The cast of the site's tests: a lead and an annotator of one project, and a stranger to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from annotate.models import Document, Label, Membership, Project, User
from annotate.models.documents import Half, Lane
from annotate.models.members import Role
from annotate.outages.breaker import REDIS

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _redis_was_not_away() -> Iterator[None]:
    """Most tests have no broker, and what one of them met must not keep the next one from asking."""
    yield
    REDIS.reset()


def _user(name: str) -> User:
    return User.objects.create_user(name, password=PASSWORD)


@pytest.fixture
def lead(db: None) -> User:
    return _user("lena")


@pytest.fixture
def annotator(db: None) -> User:
    return _user("anton")


@pytest.fixture
def stranger(db: None) -> User:
    return _user("stefan")


@pytest.fixture
def make_project(lead: User, annotator: User) -> Callable[..., Project]:
    """Make a project with labels, led by the lead and worked on by the annotator."""

    def make(
        slug: str = "colours", labels: tuple[str, ...] = ("red", "green", "blue"), **fields: object
    ) -> Project:
        project = Project.objects.create(slug=slug, name=slug.title(), **fields)
        Membership.objects.create(project=project, user=lead, role=Role.LEAD)
        Membership.objects.create(project=project, user=annotator, role=Role.ANNOTATOR)
        for position, name in enumerate(labels):
            key = str(position + 1) if position < 9 else ""
            Label.objects.create(project=project, name=name, position=position, hotkey=key)
        return project

    return make


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    return make_project()


@pytest.fixture
def reviewer(project: Project) -> User:
    reviewer = _user("rita")
    Membership.objects.create(project=project, user=reviewer, role=Role.REVIEWER)
    return reviewer


@pytest.fixture
def multi_project(make_project: Callable[..., Project]) -> Project:
    return make_project(slug="topics", task="multi")


@pytest.fixture
def add_documents() -> Callable[..., list[Document]]:
    """Add texts to a project; `lane` and `half` are set as given, not by hash."""

    def add(project: Project, *texts: str, lane: str = Lane.POOL, half: str = "") -> list[Document]:
        if lane == Lane.HOLDOUT and not half:
            half = Half.REPORTING
        return [
            Document.objects.create(
                project=project,
                text=text,
                sha256=hashlib.sha256(text.encode()).hexdigest(),
                lane=lane,
                half=half,
            )
            for text in texts
        ]

    return add


@pytest.fixture
def sign_in() -> Callable[[User], Client]:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
