"""Where a project's news is sent: addresses of other sites, added, tried out and removed by a lead."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from annotate import tasks
from annotate.access import led_project_for, signed_in
from annotate.forms.versions.drift import WebhookForm
from annotate.services.webhooks import subscriptions
from annotate.views import confirmation

NEW_SECRET = "new_webhook"  # in the session, from the redirect after adding one to the page that shows it


@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = WebhookForm(request.POST or None, project=project, user=signed_in(request.user))
    if request.method == "POST" and form.is_valid():
        request.session[NEW_SECRET] = form.secret
        return redirect("webhooks", slug)
    # NB: HEAD shows nothing, so it must not use up the one showing.
    secret = "" if request.method == "HEAD" else request.session.pop(NEW_SECRET, "")
    context = {
        "project": project,
        "webhooks": subscriptions.shown(project),
        "form": form,
        "secret": secret,
        "tab": "drift",
    }
    return render(request, "webhooks/page.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    webhook = get_object_or_404(project.webhooks.select_related("project"), pk=pk)
    if request.method != "POST":
        return confirmation.ask(
            request,
            title=_("Remove the webhook to %(host)s") % {"host": webhook.host},
            told=[
                _("Nothing is sent there any more, and its secret is gone: another one gets a new secret.")
            ],
            button=_("Remove the webhook"),
            back=reverse("webhooks", args=[slug]),
            project=project,
            tab="drift",
        )
    subscriptions.remove(webhook=webhook, by=signed_in(request.user))
    messages.success(request, _("The webhook is removed."))
    return redirect("webhooks", slug)


@require_POST
def try_out(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    webhook = get_object_or_404(project.webhooks.select_related("project"), pk=pk)
    opened = subscriptions.try_out(webhook=webhook, by=signed_in(request.user))
    transaction.on_commit(partial(tasks.wake, opened))
    messages.success(request, _("A test is on its way. Reload this page to see what became of it."))
    return redirect("webhooks", slug)


@require_POST
def switch_on(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    webhook = get_object_or_404(project.webhooks.select_related("project"), pk=pk)
    subscriptions.switch_on(webhook=webhook, by=signed_in(request.user))
    messages.success(request, _("What happens from now on is sent there again."))
    return redirect("webhooks", slug)
