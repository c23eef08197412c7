"""The dictionary of a project: a lead's page to edit it, and the entries for pages on which people mark."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from annotate.access import led_project_for, project_for, signed_in
from annotate.forms.projects import DictionaryForm
from annotate.services.projects import dictionary as words
from annotate.services.projects.refused import Refused


@require_http_methods(["GET", "HEAD", "POST"])
def dictionary(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = DictionaryForm(request.POST if request.method == "POST" else None, project=project)
    if form.is_valid():
        try:
            words.save(
                project=project,
                wanted=form.cleaned_data["entries"],
                seen=form.cleaned_data["seen"],
                by=signed_in(request.user),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The dictionary is saved."))
            return redirect("project-dictionary", slug)
    context = {"project": project, "form": form, "tab": "labels"}
    return render(request, "scheme/dictionary.html", context, status=422 if form.errors else 200)


@require_safe
def entries(request: HttpRequest, slug: str) -> JsonResponse:
    """Return the entries with the keys of their labels, the longest words first, as these count first."""
    found = words.entries(project_for(request.user, slug))
    return JsonResponse({"entries": sorted(found.items(), key=lambda entry: (-len(entry[0]), entry))})
