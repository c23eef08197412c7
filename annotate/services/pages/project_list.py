"""A person's projects: to leads and reviewers how each stands, to everybody what is left for them there."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from annotate.models import Annotation, Document, ModelVersion, Project, User
from annotate.models.annotations import Outcome
from annotate.models.members import SEE_ANSWERS, Membership, Role
from annotate.services.documents import comments
from annotate.services.pages import status_line
from annotate.services.pages.status_line import Left

PAGE = 25  # projects; each is counted for whoever looks


@dataclass(frozen=True, slots=True)
class ProjectFigures:
    """Hidden from annotators, who are not to be led by what others decided or by a model's figures."""

    documents: int
    labelled: int
    flagged: int
    version: ModelVersion | None

    @property
    def share(self) -> int:
        return round(100 * self.labelled / self.documents) if self.documents else 0


@dataclass(frozen=True, slots=True)
class ListedProject:
    project: Project
    role: Role
    left: Left
    figures: ProjectFigures | None
    mentions: int


@dataclass(frozen=True, slots=True)
class ProjectPage:
    rows: list[ListedProject]
    number: int
    has_next: bool


def page(*, user: User, words: str = "", number: int = 1) -> ProjectPage:
    """Return a page of the projects of `user` whose name or short name contains `words`, by name."""
    projects, wanted = Project.objects.of(user), words.strip().casefold()
    if wanted:
        # NB: SQLite knows upper and lower case of Latin letters only, and a site has few projects.
        names = projects.values_list("pk", "name", "slug")
        fit = [pk for pk, name, slug in names if wanted in name.casefold() or wanted in slug]
        projects = projects.filter(pk__in=fit)
    first = (number - 1) * PAGE
    found = list(projects.order_by("name", "pk")[first : first + PAGE + 1])
    shown = found[:PAGE]
    roles = _roles(user, shown)
    mentions = comments.not_opened(user=user, projects=shown)
    figures = _figures([project for project in shown if roles[project.pk] in SEE_ANSWERS])
    return ProjectPage(
        rows=[
            ListedProject(
                project=project,
                role=roles[project.pk],
                left=status_line.left(project=project, annotator=user),
                figures=figures.get(project.pk),
                mentions=mentions.get(project.pk, 0),
            )
            for project in shown
        ],
        number=number,
        has_next=len(found) > PAGE,
    )


def _roles(user: User, projects: list[Project]) -> dict[int, Role]:
    """Return what `user` may do in each project; an administrator may do everything everywhere."""
    if user.is_superuser:
        return {project.pk: Role.LEAD for project in projects}
    memberships = Membership.objects.filter(user=user, project__in=projects)
    return {project: Role(role) for project, role in memberships.values_list("project", "role")}


def _figures(projects: list[Project]) -> dict[int, ProjectFigures]:
    """Count all projects together: a query for each figure, however many projects there are."""
    documents = dict(
        Document.objects.filter(project__in=projects)
        .order_by()
        .values_list("project")
        .annotate(n=Count("pk"))
    )
    decided = {
        (project, outcome): n
        for project, outcome, n in Annotation.objects.filter(
            project__in=projects, outcome__in=(Outcome.ANSWERED, Outcome.FLAGGED)
        )
        .order_by()
        .values_list("project", "outcome")
        .annotate(n=Count("document", distinct=True))
    }
    published = ModelVersion.objects.published().filter(project__in=projects).defer("report")
    versions = {version.project_id: version for version in published}
    return {
        project.pk: ProjectFigures(
            documents=documents.get(project.pk, 0),
            labelled=decided.get((project.pk, Outcome.ANSWERED), 0),
            flagged=decided.get((project.pk, Outcome.FLAGGED), 0),
            version=versions.get(project.pk),
        )
        for project in projects
    }
