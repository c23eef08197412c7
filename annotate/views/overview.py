from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from annotate.access import is_lead, project_for, reviewed_project_for, reviews, signed_in
from annotate.models import Project
from annotate.services.documents import comments
from annotate.services.labeling import work_lists
from annotate.services.llm import answers
from annotate.services.pages import overview, projection, suggestions
from annotate.services.pages.next_steps import todo
from annotate.services.quality import saved_labels

MOST_MENTIONS = 10
WORST = 15  # labels on the overview; the version's own page has them all


@require_safe
def project(request: HttpRequest, slug: str) -> HttpResponse:
    """The overview of leads and reviewers; an annotator has no use for it and goes on to label."""
    project = project_for(request.user, slug)
    if not reviews(signed_in(request.user), project):
        return redirect("label", slug)
    context = _live(project)
    version, curve = context["version"], overview.curve(project)
    leads = is_lead(signed_in(request.user), project)
    context |= {
        "progress": overview.progress(project),
        "steps": todo.steps(project, published=version, is_lead=leads),
        "versions": curve,
        "suggestions": suggestions.worth(project),
        "saved": saved_labels.told(project),
        "foretold": projection.sentences(curve),
        "metrics": overview.class_metrics(version)[:WORST] if version else [],
        "confusions": overview.confusions(version) if version else [],
        "annotators": overview.annotators(project),
        "shown": version.number if version else 0,
        "mentions": comments.mentions(project=project, user=signed_in(request.user)).filter(opened_at=None)[
            :MOST_MENTIONS
        ],
        "lists": work_lists.open_lists(project, signed_in(request.user)),
        "llm": answers.spent(project=project),
        "tab": "dashboard",
    }
    return render(request, "overview/page.html", context)


@require_safe
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """The part of the overview that changes while models train."""
    project = reviewed_project_for(request.user, slug)
    context = _live(project)
    number = context["version"].number if context["version"] else 0
    shown = request.GET.get("shown", "")
    context |= {"shown": shown, "is_stale": shown != str(number)}
    context["is_lead"] = is_lead(signed_in(request.user), project)
    return render(request, "overview/_live.html", context)


def _live(project: Project) -> dict[str, Any]:
    version, before = overview.published(project)
    return {
        "project": project,
        "learning": overview.learning(project),
        "version": version,
        "before": before,
    }
