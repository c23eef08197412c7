"""The thresholds of a version and its least confidence: looked at, then saved as a version of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate.access import led_project_for, reviewed_project_for, signed_in
from annotate.forms.versions.thresholds import ConfidenceForm, ThresholdsForm
from annotate.models import ModelVersion, Project
from annotate.services.quality import confidence, thresholds
from annotate.services.versions import revisions
from annotate.services.versions.holdout import NotScored
from annotate.services.versions.revisions import NotRevised
from annotate.views.versions.downloads import csv_file


@require_safe
def page(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("project"), number=number)
    labels = sorted(thresholds.columns(version).values(), key=lambda label: label.position)
    form = ThresholdsForm(request.GET, labels=labels)
    context = _context(project, version, form=form)
    try:
        wanted: dict[int, float] = {}
        if form.is_bound and form.is_valid():
            wanted = form.thresholds
            if form.aimed is not None:
                wanted |= thresholds.by_aim(version, *form.aimed)
        context["table"] = thresholds.table(version, wanted)
        focus = _focus(request, context["table"])
        if focus is not None:
            context |= {"focus": focus, "curve": thresholds.curve(version, focus.label)}
    except NotScored as reason:
        context["reason"] = str(reason)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "versions/thresholds.html", context, status=status)


def _focus(request: HttpRequest, table: thresholds.ThresholdTable) -> thresholds.ThresholdRow | None:
    """Return the row whose curve is drawn: the one asked for, else one that changes, else the first."""
    asked = request.GET.get("curve") or request.GET.get("label", "")
    named = [row for row in table.rows if str(row.label.pk) == asked]
    return next(iter([*named, *table.changed, *table.rows]), None)


@require_safe
def download(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Answer with the curves of all labels as CSV."""
    project = reviewed_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("project"), number=number)
    try:
        rows = [*thresholds.csv_rows(version)]
    except NotScored as reason:
        rows = [thresholds.COLUMNS, [str(reason)]]
    return csv_file(f"{project.slug}-{number}-precision-recall.csv", rows)


@require_safe
def confident(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Show where the version is unsure, and what another least confidence would bring."""
    project = reviewed_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("project"), number=number)
    form = ConfidenceForm(request.GET or None)
    context = _context(project, version, form=form)
    try:
        least = None
        if form.is_bound and form.is_valid():
            least = form.cleaned_data["least"]
            if (accuracy := form.cleaned_data["accuracy"]) is not None:
                least = confidence.least_for(version, accuracy)
                context["is_out_of_reach"] = least is None
        context["shown"] = confidence.shown(version, least)
    except NotScored as reason:
        context["reason"] = str(reason)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "versions/confidence.html", context, status=status)


@require_safe
def confident_csv(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("project"), number=number)
    try:
        rows = [*confidence.csv_rows(version)]
    except NotScored as reason:
        rows = [confidence.COLUMNS, [str(reason)]]
    return csv_file(f"{project.slug}-{number}-coverage.csv", rows)


@require_POST
def revise(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Save thresholds, or a least confidence, as a version of its own; publishing it is another step."""
    project = led_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("project", "run"), number=number)
    form = ThresholdsForm(request.POST, labels=list(thresholds.columns(version).values()))
    least = ConfidenceForm(request.POST)
    try:
        if not (form.is_valid() and least.is_valid()):
            raise NotRevised(_("Thresholds are numbers from 0 to 1: nothing was saved."))
        revision = revisions.save(
            version=version,
            by=signed_in(request.user),
            thresholds=form.thresholds,
            abstain_below=least.cleaned_data["least"],
        )
    except (NotRevised, NotScored) as refusal:
        messages.error(request, str(refusal))
        return redirect("version", slug, number)
    messages.success(
        request,
        _("Saved as version %(number)s. It serves once it is published.") % {"number": revision.number},
    )
    return redirect("version", slug, revision.number)


def _context(project: Project, version: ModelVersion, **more: Any) -> dict[str, Any]:
    return {"project": project, "version": version, "asked": (version,), "tab": "versions", **more}
