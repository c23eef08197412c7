"""Names that people type: somebody has to be able to read them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from training.storable import is_blank


class NameField(forms.CharField):
    """A text of which something can be seen: zero-width characters alone look like no name at all."""

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value and is_blank(value):
            raise forms.ValidationError(
                _("Nothing of this name can be seen, as it has only blanks and the like. Type another.")
            )
