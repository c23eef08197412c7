"""Who is a member of a project, and as what."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from annotate.access import is_lead, led_project_for, signed_in
from annotate.forms.people import InviteForm
from annotate.forms.projects import MemberForm
from annotate.models import Membership, Project
from annotate.models.members import ROLE_HELP, Role
from annotate.services.people import invitations
from annotate.services.projects import members as member_service
from annotate.services.projects.refused import Refused
from annotate.views import confirmation


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
        "invitations": invitations.with_mail(project.invitations.open()),
        "new_links": [
            (guest, request.build_absolute_uri(reverse("invitation", args=[token])))
            for guest, token in new
            if token
        ],
        "new_mails": [guest for guest, token in new if not token],
        "removed": project.removed_members.restorable().select_related("user", "removed_by").order_by("-pk"),
        "tab": "members",
    }
    status = 422 if form.errors or invite_form.errors else 200
    return render(request, "projects/members.html", context, status=status)


@require_POST
def change_member(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    user, project = signed_in(request.user), led_project_for(request.user, slug)
    membership = get_object_or_404(project.memberships, pk=pk)
    try:
        if request.POST.get("role") in Role.values:
            member_service.change_role(membership=membership, role=request.POST["role"], by=user)
    except Refused as refusal:
        messages.error(request, str(refusal))
    # A lead who has just given up the role would get a 404 on the members page.
    still_lead = is_lead(user, project)
    return redirect("project-members", slug) if still_lead else redirect("projects")


@require_http_methods(["GET", "HEAD", "POST"])
def remove_member(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Ask, and say what becomes of what the person did and holds; then end the membership."""
    user, project = signed_in(request.user), led_project_for(request.user, slug)
    membership = get_object_or_404(project.memberships.select_related("user", "project"), pk=pk)
    if request.method != "POST":
        return _ask_to_remove(request, project, membership)
    try:
        if member_service.remove_member(membership=membership, by=user):
            messages.success(
                request,
                _("%(name)s is no member any more. You can undo this for a day.") % {"name": membership.user},
            )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("project-members", slug) if is_lead(user, project) else redirect("projects")


def _ask_to_remove(request: HttpRequest, project: Project, membership: Membership) -> HttpResponse:
    has, name = member_service.holdings(membership), membership.user.get_username()
    told = [
        ngettext(
            "The %(n)d decision of theirs stays and counts as before.",
            "The %(n)d decisions of theirs stay and count as before.",
            has.decided,
        )
        % {"n": has.decided},
        ngettext(
            "%(n)d document that is with them now goes back to the queue.",
            "%(n)d documents that are with them now go back to the queue.",
            has.held,
        )
        % {"n": has.held},
        _(
            "What they have on the screen or have not sent yet is no longer taken as their answer. They can "
            "hand it on, and you accept or discard it under Documents."
        ),
        _("You can undo this for a day: they come back with the same role."),
    ]
    return confirmation.ask(
        request,
        title=_("Remove %(name)s from the project") % {"name": name},
        told=told,
        button=_("Remove %(name)s") % {"name": name},
        back=reverse("project-members", args=[project.slug]),
        project=project,
        tab="members",
    )


@require_POST
def restore_member(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    user, project = signed_in(request.user), led_project_for(request.user, slug)
    removed = get_object_or_404(project.removed_members.select_related("user", "project"), pk=pk)
    try:
        member_service.restore_member(removed=removed, by=user)
        messages.success(request, _("%(name)s is a member again.") % {"name": removed.user})
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("project-members", slug)
