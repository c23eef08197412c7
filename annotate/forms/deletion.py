from __future__ import annotations

import unicodedata
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


class TypedNameForm(forms.Form):
    """Asks for the name of what is to be deleted, so that nobody deletes another by mistake."""

    name = forms.CharField(
        label=gettext_lazy("Type the project's name to delete it"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wanted = name

    def clean_name(self) -> str:
        typed: str = self.cleaned_data["name"]
        if _as_typed(typed) != _as_typed(self._wanted):
            raise forms.ValidationError(
                _("That is not its name, so nothing was deleted. Type “%(name)s”.") % {"name": self._wanted}
            )
        return typed


def _as_typed(name: str) -> str:
    """Return a name without what nobody sees: how its letters are put together, and runs of blanks."""
    return " ".join(unicodedata.normalize("NFC", name).split())
