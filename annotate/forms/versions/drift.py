"""How a project watches what its model says of new texts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from annotate.models import Corridor


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
