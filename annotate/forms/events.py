"""The filter of the event log, which reads the query string."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from annotate.models import User
from annotate.models.events import EventKind


class EventForm(forms.Form):
    """What is asked for; a value that cannot be had is left out and said beside its field."""

    kind = forms.ChoiceField(label=_("What"), required=False)
    person = forms.TypedChoiceField(label=_("Who"), required=False, coerce=int, empty_value=None)

    def __init__(self, data: QueryDict, *, people: Iterable[User]) -> None:
        super().__init__(data, label_suffix="")
        kind, person = self.fields["kind"], self.fields["person"]
        assert isinstance(kind, forms.ChoiceField)
        assert isinstance(person, forms.ChoiceField)
        kind.choices = [("", _("All")), *EventKind.choices]
        person.choices = [("", _("All")), *((user.pk, user.get_username()) for user in people)]

    @property
    def wanted(self) -> dict[str, Any]:
        """The columns of events and their values that are asked for."""
        self.is_valid()
        asked = {"kind": self.cleaned_data.get("kind"), "by": self.cleaned_data.get("person")}
        return {column: value for column, value in asked.items() if value}
