"""What leaves a project as a file: chosen by its first rows, and sent while it is read."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate import tasks
from annotate.access import is_lead, led_project_for, reviewed_project_for, signed_in
from annotate.forms.exports import ExportForm
from annotate.services.documents import pages
from annotate.services.exports import formats, job
from annotate.services.exports.contents import Contents
from annotate.services.projects.refused import Refused

PREVIEW = 3


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    form = ExportForm(request.GET, project=project)
    # What somebody asked for may hold what a reviewer has no use for: leads see the files.
    kept = project.exports.select_related("user") if is_lead(signed_in(request.user), project) else []
    context = {
        "project": project,
        "form": form,
        "most_hits": pages.MOST_COUNTED,
        "query": request.GET.urlencode(),
        "filters": urlencode(form.filters.carried),
        "exports": [(one, formats.KNOWN[one.format].title) for one in kept],
        "is_any_live": any(one.is_live for one in kept),
        "tab": "export",
    }
    if form.is_valid():
        chosen, known = form.contents, formats.KNOWN[form.cleaned_data["format"]]
        context |= {
            "format": known,
            "hits": pages.hits(chosen.documents(project)),
            "preview": formats.preview(project, form.cleaned_data["format"], chosen, rows=PREVIEW),
        }
    return render(request, "exports/page.html", context, status=422 if form.errors else 200)


@require_safe
def file(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Send what the export page shows the first rows of, while it is read."""
    project = reviewed_project_for(request.user, slug)
    form = ExportForm(request.GET, project=project)
    if not form.is_valid() or not formats.KNOWN[form.cleaned_data["format"]].is_streamed:
        raise Http404
    format, known = form.cleaned_data["format"], formats.KNOWN[form.cleaned_data["format"]]
    return StreamingHttpResponse(
        formats.written(project, format, form.contents, by=signed_in(request.user)),
        content_type=known.media,
        headers={"Content-Disposition": f'attachment; filename="{project.slug}.{known.suffix}"'},
    )


@require_safe
def export(request: HttpRequest, slug: str, format: str) -> HttpResponseBase:
    """Send all annotations; the address from before there was a page, which bookmarks and scripts know."""
    project = reviewed_project_for(request.user, slug)
    if format not in formats.FORMATS:
        raise Http404
    blocks = formats.stream(
        project, format, everything="everything" in request.GET, by=signed_in(request.user)
    )
    return StreamingHttpResponse(
        blocks,
        content_type=formats.FORMATS[format],
        headers={"Content-Disposition": f'attachment; filename="{project.slug}.{format}"'},
    )


@require_POST
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Have a worker write what the address asks for."""
    project = led_project_for(request.user, slug)
    form = ExportForm(request.GET, project=project)
    if not form.is_valid():
        raise Http404
    is_whole = "archive" in request.POST
    try:
        with transaction.atomic():
            export = job.ask(
                project=project,
                format=formats.ARCHIVE if is_whole else form.cleaned_data["format"],
                chosen=Contents() if is_whole else form.contents,
                by=signed_in(request.user),
            )
            transaction.on_commit(partial(tasks.wake, [export]))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The file is being written. It is kept for seven days."))
    return redirect(f"{reverse('export-page', args=[slug])}?{request.GET.urlencode()}")


@require_safe
def written(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """Send a file that a worker has written."""
    project = led_project_for(request.user, slug)
    export = get_object_or_404(project.exports.exclude(file=""), pk=pk)
    known = formats.KNOWN[export.format]
    if not export.file.storage.exists(str(export.file.name)):
        raise Http404
    return FileResponse(
        export.file.open(),
        as_attachment=True,
        filename=f"{project.slug}.{known.suffix}",
        content_type=known.media,
    )
