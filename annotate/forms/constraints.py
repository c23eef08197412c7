"""The form of what a project requires of its models, shown when it is made and in its settings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from training.figures.coverage import SAMPLES
from training.registry import families_in_order
from training.reportcard.card import Constraints

MB = 1_000_000
MOST = 1_000_000_000  # of anything that is asked for; beyond it a number is a slip of the hand


class ConstraintsForm(forms.Form):
    """Every field may stay empty, which requires nothing."""

    latency_ms = forms.FloatField(
        label=_("Milliseconds that one text may take"),
        required=False,
        min_value=0.001,
        max_value=MOST,
        help_text=_("99 of 100 texts, each asked alone, on this machine with one thread."),
    )
    size_mb = forms.FloatField(
        label=_("Megabytes that it may take on disk"),
        required=False,
        min_value=0.001,
        max_value=MOST,
        help_text=_("The bundle and the encoder that it needs."),
    )
    languages = forms.CharField(
        label=_("Languages of the texts"),
        required=False,
        help_text=_("Codes as in “en ru”. A model whose encoder was not made for one of them is ruled out."),
    )
    expected_labels = forms.IntegerField(
        label=_("Labelled texts that you expect to have"),
        required=False,
        min_value=1,
        max_value=MOST,
        help_text=_("Figures measured with more of them get a note."),
    )
    explainable = forms.BooleanField(
        label=_("It must say which words decided"),
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        titles = ", ".join(gettext(family.title) for family in families_in_order() if family.explains)
        self.fields["explainable"].help_text = _("Of the families these can: %(families)s.") % {
            "families": titles
        }

    def clean_languages(self) -> list[str]:
        codes = self.cleaned_data["languages"].lower().replace(",", " ").split()
        if unknown := sorted(set(codes) - set(SAMPLES)):
            raise forms.ValidationError(
                _("%(unknown)s cannot be checked; leave it out, or choose among %(known)s.")
                % {"unknown": ", ".join(unknown), "known": ", ".join(SAMPLES)}
            )
        return list(dict.fromkeys(codes))

    def constraints(self) -> dict[str, Any]:
        """Return the fields of `Constraints` that were filled in."""
        given = self.cleaned_data
        asked = {
            "latency_ms": given["latency_ms"],
            "size_bytes": round(given["size_mb"] * MB) if given["size_mb"] else None,
            "explainable": given["explainable"],
            "languages": given["languages"],
            "labels": given["expected_labels"],
        }
        return {name: value for name, value in asked.items() if value}


def initial(asked: Constraints) -> dict[str, Any]:
    """Return the form's initial values for a project's constraints."""
    return {
        "latency_ms": asked.latency_ms,
        "size_mb": asked.size_bytes / MB if asked.size_bytes else None,
        "languages": " ".join(asked.languages),
        "expected_labels": asked.labels,
        "explainable": asked.explainable,
    }
