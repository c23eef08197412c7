"""A person's API keys: made with the scopes that are needed, shown once, revoked."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from annotate.access import signed_in
from annotate.forms.names import NameField
from annotate.models import User
from annotate.services.people import api_keys
from annotate.services.people.api_keys import Scope
from annotate.views import confirmation

DAYS = [
    *((days, format_lazy(gettext_lazy("{days} days"), days=days)) for days in (30, 90)),
    (365, gettext_lazy("One year")),
    (0, gettext_lazy("Never")),
]


class KeyForm(forms.Form):
    name = NameField(
        label=gettext_lazy("Name"), max_length=100, help_text=gettext_lazy("What will use this key.")
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    days = forms.TypedChoiceField(label=gettext_lazy("Expires after"), choices=DAYS, coerce=int, initial=90)

    def __init__(self, data: QueryDict | None = None, *, user: User) -> None:
        super().__init__(data)
        self.user = user

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if self.user.api_keys.filter(revoked_at=None, name=name).exists():
            raise forms.ValidationError(
                _("You have a key called “%(name)s” already. Type another name, to tell them apart.")
                % {"name": name}
            )
        return name


NEW_SECRET = "new_api_key"  # in the session, from the redirect after making a key to the page that shows it


@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    user = signed_in(request.user)
    form = KeyForm(request.POST or None, user=user)
    if form.is_valid():
        name, scopes, days = (form.cleaned_data[field] for field in ("name", "scopes", "days"))
        expires_at = timezone.now() + timedelta(days=days) if days else None
        _key, request.session[NEW_SECRET] = api_keys.issue(
            user=user, name=name, scopes=scopes, expires_at=expires_at
        )
        return redirect("api-keys")
    # NB: HEAD shows nothing, so it must not use up the one showing.
    secret = "" if request.method == "HEAD" else request.session.pop(NEW_SECRET, "")
    rows = user.api_keys.filter(revoked_at=None).order_by("-pk")
    context = {"form": form, "secret": secret, "rows": rows, "now": timezone.now()}
    return render(request, "account/keys.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    user = signed_in(request.user)
    if request.method != "POST":
        key = get_object_or_404(user.api_keys.filter(revoked_at=None), pk=pk)
        return confirmation.ask(
            request,
            title=_("Revoke the key “%(name)s”") % {"name": key.name},
            told=[
                _("What uses it is refused at once. A revoked key cannot come back: make another one then.")
            ],
            button=_("Revoke the key"),
            back=reverse("api-keys"),
        )
    if api_keys.revoke(user=user, pk=pk):
        messages.success(request, _("The key is revoked; what used it is refused from now on."))
    return redirect("api-keys")
