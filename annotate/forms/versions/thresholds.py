"""Thresholds and least confidences that a lead looks at before they are saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.models import Label
from training.figures.tradeoff import Aim

EVERY = "all"
AIMS = [
    ("", gettext_lazy("as typed below")),
    (Aim.F1.value, gettext_lazy("the best F1")),
    (Aim.FBETA.value, gettext_lazy("the best F-beta")),
    (Aim.PRECISION.value, gettext_lazy("a precision of at least")),
    (Aim.RECALL.value, gettext_lazy("a recall of at least")),
]
MOST_BETA = 10.0


def _name(label: int) -> str:
    return f"threshold-{label}"


class ThresholdsForm(forms.Form):
    """A threshold for each label, and an aim that sets those of one label or of all."""

    label = forms.ChoiceField(required=False)
    aim = forms.ChoiceField(choices=AIMS, required=False)
    value = forms.FloatField(required=False, min_value=0.0)

    def __init__(self, data: Mapping[str, Any] | None, *, labels: Sequence[Label]) -> None:
        super().__init__(data or None)
        self.labels = labels
        choices = [(EVERY, gettext_lazy("every label")), *((str(one.pk), one.name) for one in labels)]
        self.fields["label"].choices = choices  # type: ignore[attr-defined]
        for one in labels:
            self.fields[_name(one.pk)] = forms.FloatField(
                label=one.name, required=False, min_value=0.0, max_value=1.0
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        aim, value = cleaned.get("aim"), cleaned.get("value")
        if aim in (Aim.FBETA, Aim.PRECISION, Aim.RECALL) and value is None and "value" not in self.errors:
            self.add_error("value", _("Say how much: the share to be reached, or beta."))
        elif aim in (Aim.PRECISION, Aim.RECALL) and value is not None and value > 1:
            self.add_error("value", _("A share is between 0 and 1."))
        elif aim == Aim.FBETA and value is not None and not 0 < value <= MOST_BETA:
            self.add_error("value", _("Beta is above 0 and at most 10."))
        return cleaned

    @property
    def thresholds(self) -> dict[int, float]:
        """The thresholds that were typed, by label."""
        typed = {one.pk: self.cleaned_data.get(_name(one.pk)) for one in self.labels}
        return {label: value for label, value in typed.items() if value is not None}

    @property
    def aimed(self) -> tuple[int | None, Aim, float] | None:
        """The label, None for every one, the aim and its value; None where nothing is aimed at."""
        if not self.cleaned_data.get("aim"):
            return None
        label = self.cleaned_data.get("label") or EVERY
        value = self.cleaned_data.get("value")
        return (
            None if label == EVERY else int(label),
            Aim(self.cleaned_data["aim"]),
            1.0 if value is None else value,
        )


class ConfidenceForm(forms.Form):
    """A least confidence, or the share of answers that is to be right."""

    least = forms.FloatField(required=False, min_value=0.0, max_value=1.0)
    accuracy = forms.FloatField(required=False, min_value=0.0, max_value=1.0)
