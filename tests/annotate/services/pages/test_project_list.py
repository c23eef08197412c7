"""The list of projects: figures for leads, what is left for everybody, a search in any script."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from annotate.models import Annotation, Document, ModelVersion, Project, User
from annotate.models.versions import Stage
from annotate.services.pages import project_list
from annotate.services.pages.project_list import PAGE


@pytest.fixture(autouse=True)
def _counted_anew() -> None:
    """Forget the counts of other tests, whose projects had the same keys."""
    cache.clear()


@pytest.fixture
def _worked_on(project: Project, annotator: User, add_documents: Callable[..., list[Document]]) -> None:
    documents = add_documents(project, *(f"text {n}" for n in range(5)))
    for document, outcome in zip(documents, ["answered", "answered", "flagged", "skipped"], strict=False):
        Annotation.objects.create(project=project, document=document, annotator=annotator, outcome=outcome)


@pytest.mark.usefixtures("_worked_on")
def test_a_lead_sees_how_a_project_stands(project: Project, lead: User) -> None:
    (row,) = project_list.page(user=lead).rows
    assert row.figures is not None
    assert (row.figures.documents, row.figures.labelled, row.figures.flagged) == (5, 2, 1)
    assert row.figures.share == 40
    assert row.left.documents == 1
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=2, holdout_documents=0, stage=Stage.PUBLISHED
    )
    (row,) = project_list.page(user=lead).rows
    assert row.figures is not None
    assert row.figures.version == version


@pytest.mark.usefixtures("_worked_on")
def test_an_annotator_sees_only_what_is_left(
    project: Project, annotator: User, sign_in: Callable[[User], Client]
) -> None:
    (row,) = project_list.page(user=annotator).rows
    assert row.figures is None
    page = sign_in(annotator).get(reverse("projects")).content.decode()
    assert "1 left for you" in page
    assert "labelled" not in page
    assert "flag" not in page


def test_a_stranger_is_in_no_project(project: Project, stranger: User) -> None:
    assert project_list.page(user=stranger).rows == []
    assert project_list.page(user=stranger, words=project.name).rows == []


def test_a_project_is_found_by_a_part_of_its_name_in_any_script(
    make_project: Callable[..., Project], lead: User
) -> None:
    make_project(slug="first").__class__.objects.filter(slug="first").update(name="Отзывы о Доставке")
    make_project(slug="second")
    found = [row.project.slug for row in project_list.page(user=lead, words=" ДОСТАВК ").rows]
    assert found == ["first"]
    assert [row.project.slug for row in project_list.page(user=lead, words="SECO").rows] == ["second"]


def test_projects_come_in_pages(
    make_project: Callable[..., Project], lead: User, sign_in: Callable[[User], Client]
) -> None:
    for number in range(PAGE + 1):
        make_project(slug=f"p{number:02d}", labels=())
    first, second = (project_list.page(user=lead, number=number) for number in (1, 2))
    assert (len(first.rows), first.has_next) == (PAGE, True)
    assert ([row.project.slug for row in second.rows], second.has_next) == ([f"p{PAGE:02d}"], False)
    browser = sign_in(lead)
    assert "page=2" in browser.get(reverse("projects")).content.decode()
    assert "page=1" in browser.get(reverse("projects"), {"page": "2"}).content.decode()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 30])
def test_a_page_that_is_no_number_is_the_first(
    page: str, lead: User, sign_in: Callable[[User], Client]
) -> None:
    shown = sign_in(lead).get(reverse("projects"), {"page": page, "q": "\0"}).content.decode()
    assert "Colours" in shown


def test_more_projects_take_no_more_queries_for_the_figures_of_leads(
    make_project: Callable[..., Project],
    lead: User,
    django_assert_max_num_queries: Callable[..., DjangoAssertNumQueries],
) -> None:
    for number in range(3):
        make_project(slug=f"p{number}", labels=())
    projects = list(Project.objects.all())
    with django_assert_max_num_queries(3):
        assert len(project_list._figures(projects)) == 3
