"""What an export holds and how it is written, as the query string of its page says."""

from __future__ import annotations

from collections.abc import Iterable

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotate.forms.documents import FilterForm, Switch
from annotate.models import Project
from annotate.services.documents import spreadsheet
from annotate.services.exports import formats
from annotate.services.exports.contents import Contents

PER = [
    ("annotation", _("Annotation: what one person says of one document now")),
    ("document", _("Document, with the answer that a model would learn: gold first, else what all agree on")),
    ("decision", _("Decision: every one that was ever kept, with those that a later one replaced")),
]
PARTS = [
    ("meta", _("What was imported beside the text")),
    ("origin", _("Where an annotation came from: a person, an import, a program")),
    ("suggestions", _("What was suggested to the annotator")),
    ("predictions", _("What the published model says")),
]


class ExportForm(forms.Form):
    """Which rows and columns; an address without them asks for the usual ones."""

    per = forms.ChoiceField(label=_("One row for each"), choices=PER, widget=forms.RadioSelect)
    part = forms.MultipleChoiceField(
        label=_("With"),
        choices=PARTS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Of a document that a model has learned from, its prediction proves nothing."),
    )
    whole = forms.BooleanField(label=_("Also documents without an answer"), required=False, widget=Switch)
    format = forms.ChoiceField(label=_("Format"))

    def __init__(self, data: QueryDict, *, project: Project) -> None:
        data = data.copy()
        if "per" not in data:
            usual = Contents()
            data.setlist("per", [usual.per])
            data.setlist("part", list(usual.parts))
        known = formats.known(project.task_type)
        data.setdefault("format", next(iter(known)))
        super().__init__(data, label_suffix="")
        field = self.fields["format"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, one.title) for name, one in known.items() if name != formats.ARCHIVE]
        self.filters = FilterForm(data, project=project)

    @property
    def contents(self) -> Contents:
        """What is asked for; call it on a form that is valid."""
        chosen = self.cleaned_data
        return Contents(
            per=chosen["per"],
            parts=tuple(part for part in spreadsheet.PARTS if part in chosen["part"]),
            is_whole=chosen["whole"],
            wanted=self.filters.wanted,
        )

    def filter_faults(self, asked: Iterable[str]) -> list[str]:
        """Return why some of the filters cannot be had; the page leaves those out and shows which hold."""
        wanted = self.filters.wanted
        return [
            gettext("There is no filter “%(name)s”, or it has no such value.") % {"name": name[:100]}
            for name in asked
            if name not in wanted
        ]
