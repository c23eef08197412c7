"""The people of the site, for its administrators: who is there, in what role, and who is let in."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate.access import person_for, site_administrator
from annotate.forms.people import PeopleForm
from annotate.services.logins import second_factors
from annotate.services.people import accounts, password_links, sessions
from annotate.services.projects.refused import Refused
from annotate.views import confirmation

NEW_LINK = "new_password_link"  # in the session, from the redirect after making it to the page that shows it


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    site_administrator(request.user)
    form = PeopleForm(request.GET)
    return render(request, "people/list.html", {"form": form, "page": accounts.page(**form.wanted)})


@require_safe
def person(request: HttpRequest, pk: int) -> HttpResponse:
    shown = person_for(request.user, pk)
    # NB: HEAD shows nothing, so it must not use up the one showing.
    owner, token = (None, "") if request.method == "HEAD" else request.session.pop(NEW_LINK, (None, ""))
    context = {
        "person": shown,
        "sessions": sessions.open_of(shown).count(),
        "keys": shown.api_keys.filter(revoked_at=None).count(),
        "is_self": shown == request.user,
        "has_second_factor": second_factors.has_any(shown),
        "link": request.build_absolute_uri(reverse("password-link", args=[token])) if owner == pk else "",
    }
    return render(request, "people/person.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def disable(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, and say what ends; then let the person in no longer."""
    shown = person_for(request.user, pk)
    if request.method == "POST":
        try:
            accounts.disable(user=shown, by=site_administrator(request.user))
            messages.success(request, _("%(name)s is let in no longer.") % {"name": shown})
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect("person", pk)
    told = [
        _("Sessions and API keys end at once, and documents that are with them go back to the queue."),
        _("Their decisions and memberships stay. You can enable the account again; the keys stay ended."),
    ]
    if orphaned := list(accounts.led_by_nobody_else(shown)):
        told.append(
            ngettext(
                "This project will have no lead: %(names)s. Make somebody else a lead of it.",
                "These projects will have no lead: %(names)s. Make somebody else a lead of each.",
                len(orphaned),
            )
            % {"names": ", ".join(project.name for project in orphaned)}
        )
    return confirmation.ask(
        request,
        title=_("Disable the account of %(name)s") % {"name": shown},
        told=told,
        button=_("Disable the account"),
        back=reverse("person", args=[pk]),
    )


@require_POST
def enable(request: HttpRequest, pk: int) -> HttpResponse:
    shown = person_for(request.user, pk)
    accounts.enable(user=shown, by=site_administrator(request.user))
    messages.success(request, _("%(name)s can log in again.") % {"name": shown})
    return redirect("person", pk)


@require_http_methods(["GET", "HEAD", "POST"])
def take_second_factor(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask; then let somebody who has lost their second factor in by their password alone."""
    shown, by = person_for(request.user, pk), site_administrator(request.user)
    if request.method == "POST":
        if shown == by:
            messages.error(request, _("Take your own second factor away on your account page."))
        elif second_factors.take_all(user=shown, by=by):
            messages.success(request, _("%(name)s logs in by their password alone now.") % {"name": shown})
        return redirect("person", pk)
    return confirmation.ask(
        request,
        title=_("Take the second factor of %(name)s away") % {"name": shown},
        told=[
            _("Do so only if you know that this person asks for it, and not somebody in their name."),
            _("Their apps, passkeys and recovery codes work no more, and their sessions end."),
        ],
        button=_("Take it away"),
        back=reverse("person", args=[pk]),
    )


@require_POST
def make_password_link(request: HttpRequest, pk: int) -> HttpResponse:
    shown = person_for(request.user, pk)
    try:
        token = password_links.issue(user=shown, by=site_administrator(request.user))
        request.session[NEW_LINK] = (pk, token)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("person", pk)
