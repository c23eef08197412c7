"""The views that people have saved: a list of them, and the form that names one more."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from annotate.access import is_lead, reviewed_project_for, signed_in
from annotate.forms.documents import FilterForm, SavedViewForm, TableForm, without_place
from annotate.models import Project, SavedView
from annotate.services.documents import saved_views


@require_http_methods(["GET", "HEAD", "POST"])
def views(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the saved views; a POST saves the one that the address describes."""
    project, user = reviewed_project_for(request.user, slug), signed_in(request.user)
    can_share = is_lead(user, project)
    form = SavedViewForm(request.POST if request.method == "POST" else None, can_share=can_share)
    if form.is_bound and form.is_valid():
        query = without_place(request.GET).urlencode()
        try:
            saved_views.save(
                project=project,
                by=user,
                name=form.cleaned_data["name"],
                query=query,
                is_shared=form.cleaned_data.get("is_shared", False),
            )
        except saved_views.NotSaved as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, _("The view is saved."))
            return HttpResponseRedirect(f"{reverse('documents', args=[slug])}?{query}")
    return _show(request, project, form)


@require_POST
def rename(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    view = _changeable(request, slug, pk)
    form = SavedViewForm(request.POST, can_share=False)
    if form.is_valid():
        try:
            saved_views.rename(view=view, by=signed_in(request.user), name=form.cleaned_data["name"])
        except saved_views.NotSaved as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, _("The view has its new name."))
            return redirect("saved-views", slug=slug)
    can_share = is_lead(signed_in(request.user), view.project)
    return _show(request, view.project, SavedViewForm(can_share=can_share), renamed=(pk, form))


@require_POST
def delete(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    view = _changeable(request, slug, pk)
    saved_views.delete(view=view, by=signed_in(request.user))
    messages.success(
        request, _("The view “%(name)s” is deleted; its documents are not.") % {"name": view.name}
    )
    return redirect("saved-views", slug=slug)


def _changeable(request: HttpRequest, slug: str, pk: int) -> SavedView:
    project, user = reviewed_project_for(request.user, slug), signed_in(request.user)
    own = saved_views.changed_by(user, project, is_lead=is_lead(user, project)).select_related("project")
    return get_object_or_404(own, pk=pk)


def _show(
    request: HttpRequest,
    project: Project,
    form: SavedViewForm,
    renamed: tuple[int, SavedViewForm] | None = None,
) -> HttpResponse:
    user = signed_in(request.user)
    own = set(saved_views.changed_by(user, project, is_lead=is_lead(user, project)))
    names = {
        view: SavedViewForm(initial={"name": view.name}, can_share=False, auto_id=f"view_{view.pk}_%s")
        for view in saved_views.seen_by(user, project)
    }
    query = without_place(request.GET)
    is_refused = bool(form.errors) or renamed is not None
    context = {
        "project": project,
        "form": form,
        "views": [
            (view, None if view not in own else renamed[1] if renamed and renamed[0] == view.pk else named)
            for view, named in names.items()
        ],
        "query": query.urlencode(),
        "in_force": FilterForm(query, project=project).in_force,
        "table": TableForm(query, project=project),
        "tab": "documents",
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if is_refused else HTTPStatus.OK
    return render(request, "documents/saved_views.html", context, status=status)
