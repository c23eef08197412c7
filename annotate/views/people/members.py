"""Who is a member of a project, and as what."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotate.access import is_lead, led_project_for, signed_in
from annotate.forms.people import InviteForm
from annotate.forms.projects import MemberForm
from annotate.models import Project
from annotate.models.members import ROLE_HELP, Role
from annotate.services.projects import members as member_service
from annotate.services.projects.refused import Refused


def new_links_of(project: Project) -> str:
    """Return where a session keeps links from the redirect after inviting to the page that shows them."""
    return f"new_invitations:{project.pk}"


def members(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = MemberForm(request.POST or None)
    if form.is_valid():
        try:
            member_service.add_member(project=project, by=signed_in(request.user), **form.cleaned_data)
        except Refused as refusal:
            form.add_error("username", str(refusal))
        else:
            return redirect("project-members", slug)
    return page(request, project, form)


def page(
    request: HttpRequest,
    project: Project,
    form: MemberForm | None = None,
    invite_form: InviteForm | None = None,
) -> HttpResponse:
    """Show the members, with forms as they were sent."""
    form, invite_form = form or MemberForm(), invite_form or InviteForm()
    mine = Count("user__annotations", filter=Q(user__annotations__project=project))
    rows = project.memberships.select_related("user").annotate(decisions=mine).order_by("user__username")
    # NB: HEAD shows nothing, so it must not use up the one showing.
    new = [] if request.method == "HEAD" else request.session.pop(new_links_of(project), [])
    context = {
        "project": project,
        "form": form,
        "invite_form": invite_form,
        "rows": rows,
        "roles": Role.choices,
        "role_help": [(role.label, ROLE_HELP[role]) for role in Role],
        "invitations": project.invitations.open().select_related("invited_by").order_by("pk"),
        "new_links": [
            (guest, request.build_absolute_uri(reverse("invitation", args=[token]))) for guest, token in new
        ],
        "tab": "members",
    }
    status = 422 if form.errors or invite_form.errors else 200
    return render(request, "projects/members.html", context, status=status)


@require_POST
def change_member(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    user, project = signed_in(request.user), led_project_for(request.user, slug)
    membership = get_object_or_404(project.memberships, pk=pk)
    try:
        if request.POST.get("remove"):
            member_service.remove_member(membership=membership, by=user)
        elif request.POST.get("role") in Role.values:
            member_service.change_role(membership=membership, role=request.POST["role"], by=user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    # A lead who has just given up the role would get a 404 on the members page.
    still_lead = is_lead(user, project)
    return redirect("project-members", slug) if still_lead else redirect("projects")
