"""How a project watches what its model says of new texts, and who is told of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import URLValidator
from django.utils.translation import gettext_lazy as _

from annotate.models import Corridor, Project, User
from annotate.services.projects.refused import Refused
from annotate.services.webhooks import subscriptions


class CorridorForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Corridor
        fields = ["window", "outside", "rest_hours", "texts_kept_until", "retrains"]
        widgets = {"texts_kept_until": forms.DateInput(attrs={"type": "date"})}
        help_texts = {
            "window": _("A larger window finds smaller changes, later."),
            "outside": _("One usual window in 200 is outside by chance; two in a row hardly ever are."),
            "texts_kept_until": _(
                "Without a date no text is kept, only counts. Kept texts show new topics, and those of an "
                "alarm become documents to label. The others are deleted after a week, or with this date."
            ),
            "retrains": _("Besides those that new labels bring about."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class WebhookForm(forms.Form):
    """Adds a webhook; `secret` is that of the one that it has added."""

    address = forms.CharField(
        label=_("Address"),
        max_length=500,
        validators=[URLValidator(["https", "http"])],
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, project: Project, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.secret = ""
        self._project, self._user = project, user

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"]
        try:
            self.secret = subscriptions.add(project=self._project, by=self._user, address=address)
        except Refused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        return address
