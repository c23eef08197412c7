"""Inviting people into a project, and their way in."""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.forms import BaseUserCreationForm, SetPasswordForm
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from annotate.models import User
from annotate.models.accounts import look_of
from annotate.models.members import Role
from training.storable import is_blank

MOST_GUESTS = 50
LONGEST_GUEST = 200
DAYS = [(1, _("1 day")), (7, _("7 days")), (30, _("30 days"))]


class InviteForm(forms.Form):
    guests = forms.CharField(
        label=_("Whom you invite"),
        max_length=MOST_GUESTS * (LONGEST_GUEST + 2),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("A name or an address in each line. Each gets a link of their own."),
    )
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.ANNOTATOR)
    days = forms.TypedChoiceField(label=_("The link works for"), choices=DAYS, coerce=int, initial=7)
    by_mail = forms.BooleanField(
        label=_("Send the links to e-mail addresses by e-mail"),
        initial=True,
        required=False,
        help_text=_("A line without an address gets a link to copy, and so does every line without this."),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        if not settings.EMAIL_HOST:
            self.fields["by_mail"].widget = forms.HiddenInput()
            self.fields["by_mail"].initial = False

    def clean_guests(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["guests"].splitlines()]
        guests = list(dict.fromkeys(line for line in lines if not is_blank(line)))
        if not guests:
            raise ValidationError(gettext("Nothing of these lines can be seen. Type a name in each."))
        if len(guests) > MOST_GUESTS:
            raise ValidationError(
                ngettext(
                    "This is %(n)d person; invite at most %(most)d at a time.",
                    "These are %(n)d people; invite at most %(most)d at a time.",
                    len(guests),
                )
                % {"n": len(guests), "most": MOST_GUESTS}
            )
        if long := next((guest for guest in guests if len(guest) > LONGEST_GUEST), None):
            raise ValidationError(
                gettext("The line “%(start)s…” is longer than the %(most)d characters that a name may have.")
                % {"start": long[:40], "most": LONGEST_GUEST}
            )
        return guests


class JoinForm(BaseUserCreationForm):  # type: ignore[type-arg]
    """An account for somebody who was invited: a name that looks like nobody else's, and a password."""

    class Meta(BaseUserCreationForm.Meta):
        model = User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django's list would end the paragraph that the help of a field is shown in.
        self.fields["password1"].help_text = " ".join(password_validators_help_texts())

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        look = look_of(name)
        if any(look_of(taken) == look for taken in User.objects.values_list("username", flat=True)):
            raise ValidationError(
                gettext("The name “%(name)s” is taken, or looks like one that is. Choose another.")
                % {"name": name}
            )
        return name


class ForgottenForm(forms.Form):
    who = forms.CharField(
        label=_("Your name on this site, or your e-mail address"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True}),
    )


class CodeForm(forms.Form):
    """The second step: the code that an app shows, or one that was written down."""

    code = forms.CharField(
        label=_("Code of the app, or a recovery code"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "autocapitalize": "none", "size": 20}
        ),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, label_suffix="")


class ConfirmedForm(forms.Form):
    """Asks for the password again, as a login does, so that guesses at it are counted and logged alike.

    Whoever has no password, as they come in by another site's account, is not asked; nor is whoever is on the
    way in, and has shown it just now.
    """

    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        self.request = request
        if not isinstance(request.user, User) or not request.user.has_usable_password():
            del self.fields["password"]

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        name = self.request.user.get_username()
        if authenticate(self.request, username=name, password=password) != self.request.user:
            raise ValidationError(gettext("This is not your password."))
        return password


class NewAppForm(ConfirmedForm):
    code = forms.CharField(
        label=_("The code that the app shows"),
        max_length=10,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "size": 10}),
    )

    field_order = ("code", "password")


class NewPasskeyForm(ConfirmedForm):
    name = forms.CharField(
        label=_("What you call it"), max_length=100, help_text=_("As “phone” or “key on my key ring”.")
    )

    field_order = ("name", "password")


class AddressForm(ConfirmedForm):
    email = forms.EmailField(label=_("New e-mail address"))

    field_order = ("email", "password")


class NewPasswordForm(SetPasswordForm):  # type: ignore[type-arg]
    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(user, data)
        # Django's list would end the paragraph that the help of a field is shown in.
        self.fields["new_password1"].help_text = " ".join(password_validators_help_texts())


class PeopleForm(forms.Form):
    """What an administrator asks of the list of people; it reads the query string."""

    q = forms.CharField(label=_("Name or e-mail address"), max_length=200, required=False)
    before = forms.CharField(max_length=150, required=False, widget=forms.HiddenInput)
    after = forms.CharField(max_length=150, required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any) -> None:
        super().__init__(data, label_suffix="")

    @property
    def words(self) -> str:
        self.is_valid()
        return str(self.cleaned_data.get("q", ""))

    @property
    def wanted(self) -> dict[str, str]:
        self.is_valid()
        sides = {side: self.cleaned_data.get(side, "") for side in ("before", "after")}
        return {"words": self.words, **sides}


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]
    """What people say of themselves."""

    language = forms.ChoiceField(
        label=_("Language"), required=False, help_text=_("The site is shown to you in it.")
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"), required=False, help_text=_("Dates on pages are shown in it.")
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "email", "language", "time_zone")

    def save(self, commit: bool = True) -> User:
        if "email" in self.changed_data:
            self.instance.email_confirmed_at = None
        saved: User = super().save(commit)
        return saved

    def __init__(self, data: Any = None, *, instance: User) -> None:
        super().__init__(data, instance=instance, label_suffix="")
        language, zone = self.fields["language"], self.fields["time_zone"]
        assert isinstance(language, forms.ChoiceField)
        assert isinstance(zone, forms.ChoiceField)
        language.choices = [("", gettext("That of the browser")), *settings.LANGUAGES]
        if settings.EMAIL_HOST:  # another address is confirmed by a link then
            del self.fields["email"]
        of_site = gettext("That of the site (%(zone)s)") % {"zone": settings.TIME_ZONE}
        zone.choices = [("", of_site), *((name, name) for name in time_zones())]


@cache
def time_zones() -> list[str]:
    """Return the names of places; what else the database of zones holds are other names of the same."""
    return sorted(
        name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/")
    )
