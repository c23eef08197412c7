"""Invitations: a lead makes links and takes them back; whoever has one comes in by it."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from annotate.access import is_member, led_project_for, open_invitation, signed_in
from annotate.forms.people import InviteForm, JoinForm
from annotate.models import Invitation, User
from annotate.models.members import ROLE_HELP, Role
from annotate.services.logins import oidc
from annotate.services.mail import outbox
from annotate.services.people import invitations
from annotate.services.projects.refused import Refused
from annotate.tasks import wake
from annotate.views import confirmation
from annotate.views.people import members
from annotate.views.people.entry import enter


@require_POST
def invite(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = InviteForm(request.POST)
    if not form.is_valid():
        return members.page(request, project, invite_form=form)
    try:
        issued, mails = outbox.invite(project=project, by=signed_in(request.user), **form.cleaned_data)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return members.page(request, project, invite_form=form)
    wake(mails)
    request.session[members.new_links_of(project)] = [
        [invitation.guest, token] for invitation, token in issued
    ]
    return redirect("project-members", slug)


@require_POST
def send(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Send the mail of an open invitation once more; the link of the mail before works no more then."""
    project = led_project_for(request.user, slug)
    found = get_object_or_404(project.invitations.open().exclude(address=""), pk=pk)
    try:
        wake(outbox.send_invitations(by=signed_in(request.user), rows=[found]))
        messages.success(request, _("The mail to %(address)s is sent again.") % {"address": found.address})
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("project-members", slug)


@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    if request.method != "POST":
        guest = get_object_or_404(project.invitations.open(), pk=pk).guest
        return confirmation.ask(
            request,
            title=_("Take the invitation of %(guest)s back") % {"guest": guest},
            told=[_("Its link lets nobody in from then on. You can invite the same person again.")],
            button=_("Take it back"),
            back=reverse("project-members", args=[slug]),
            project=project,
            tab="members",
        )
    if invitations.revoke(project=project, pk=pk, by=signed_in(request.user)):
        messages.success(request, _("The invitation is taken back; its link lets nobody in."))
    else:
        messages.info(request, _("The invitation was used or taken back already."))
    return redirect("project-members", slug)


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Let somebody in: with the account that they are logged in with, else with a new one."""
    found = open_invitation(token)
    if found is None:
        # The same to all: it tells nobody whether there was such a link.
        return render(request, "people/no_invitation.html", status=HTTPStatus.NOT_FOUND)
    is_sent = request.method == "POST"
    if isinstance(request.user, User):
        return _accept(request, found, request.user) if is_sent else _page(request, found)
    form = JoinForm(request.POST if is_sent else None)
    if not form.is_valid():
        return _page(request, found, form)
    try:
        with transaction.atomic():
            user = form.save()
            membership = invitations.accept(invitation=found, user=user, is_new=True)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _page(request, found, form)
    except IntegrityError:  # somebody took the name in the same moment
        form.add_error("username", _("This name was taken just now. Choose another."))
        return _page(request, found, form)
    return enter(request, user, then=resolve_url("project", membership.project.slug))


def _accept(request: HttpRequest, found: Invitation, user: User) -> HttpResponse:
    try:
        membership = invitations.accept(invitation=found, user=user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("projects")
    return redirect("project", membership.project.slug)


def _page(request: HttpRequest, found: Invitation, form: JoinForm | None = None) -> HttpResponse:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form is not None and form.errors else HTTPStatus.OK
    context = {
        "invitation": found,
        "role_help": ROLE_HELP[Role(found.role)],
        "form": form,
        "outside": oidc.name(),
        "is_member": isinstance(request.user, User) and is_member(request.user, found.project),
    }
    page = render(request, "people/invitation.html", context, status=status)
    # The address lets somebody in, so that no link on the page may tell it.
    page["Referrer-Policy"] = "strict-origin"
    return page
