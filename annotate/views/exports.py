"""What leaves a project as a file: chosen by its first rows, and sent while it is read."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotate.access import reviewed_project_for, signed_in
from annotate.forms.exports import ExportForm
from annotate.services.documents import pages
from annotate.services.exports import formats

PREVIEW = 3


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    form = ExportForm(request.GET, project=project)
    context = {
        "project": project,
        "form": form,
        "most_hits": pages.MOST_COUNTED,
        "query": request.GET.urlencode(),
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
    if not form.is_valid():
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
