"""The filters of the documents page as a form: it reads the query string and shows what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from annotate.forms.keys import as_key
from annotate.models import Project, User
from annotate.services.documents.filters import FILTERS, Filter, Kind

LONGEST_TEXT = 1000  # characters that are searched for


class Switch(forms.CheckboxInput):
    """A box that is ticked by the words that a browser or a link sends for it, and by no others."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return data.get(name) in {"1", "on"}


class FilterForm(forms.Form):
    """What the query string asks for.

    A value that a filter cannot have is left out and said beside its field: an old bookmark may name a label
    that is gone. `before` is no filter, but where the page begins.
    """

    def __init__(self, data: QueryDict, *, project: Project) -> None:
        super().__init__(data, label_suffix="")
        people = User.objects.filter(Q(annotations__project=project) | Q(memberships__project=project))
        self._choices = {
            Kind.LABEL: list(project.labels.values_list("pk", "name")),
            Kind.PERSON: list(people.distinct().order_by("username").values_list("pk", "username")),
        }
        self.fields = {name: self._field(entry) for name, entry in FILTERS.items()}

    def _field(self, entry: Filter) -> forms.Field:
        if entry.values is Kind.TEXT:
            return forms.CharField(label=entry.title, required=False, max_length=LONGEST_TEXT)
        if entry.values is Kind.SWITCH:
            return forms.BooleanField(label=entry.title, required=False, widget=Switch)
        values = self._choices[entry.values] if isinstance(entry.values, Kind) else entry.values
        return forms.TypedChoiceField(
            label=entry.title,
            required=False,
            choices=[("", _("All")), *values],
            coerce=int if isinstance(entry.values, Kind) else str,
            widget=forms.Select if entry.is_shown else forms.HiddenInput,
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """The values that are asked for and can be had, by filter name."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", False)}

    @property
    def before(self) -> int | None:
        return as_key(self.data.get("before", ""))
