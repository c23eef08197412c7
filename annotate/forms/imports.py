"""Forms of the import pages; the columns to choose from are those of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile as Uploaded
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate import task_types
from annotate.forms.names import NameField
from annotate.models import Import, Project
from annotate.services.imports.columns import ColumnMapping
from annotate.services.imports.labels import CREATE, LEAVE, Choice
from annotate.services.imports.missing import MissingLabel
from annotate.task_types import TASK_TYPES, TaskType
from training.records import Findings, Row
from training.storable import text_fault

ENCODINGS = [
    "utf-8",
    "utf-16",
    "windows-1252",
    "windows-1250",
    "windows-1251",
    "windows-1253",
    "windows-1254",
    "windows-1257",
    "iso-8859-15",
    "koi8-r",
    "shift_jis",
    "gb18030",
]
DELIMITERS = {",": gettext_lazy("Comma"), ";": gettext_lazy("Semicolon"), "\t": gettext_lazy("Tab"), "|": "|"}
_OWN_COLUMNS = ("text", "id", "label", "spans")  # no column is two of them
HEADERS = {"yes": True, "no": False}
SHOWN = 8
LONGEST_SHEET = 100  # Excel's own limit is 31 characters


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy(
            "CSV, TSV, JSONL, JSON, XLSX, Parquet, CoNLL, a ZIP archive of brat's files, or plain text with "
            "one document a line."
        ),
    )

    def clean_file(self) -> Uploaded[bytes]:
        file: Uploaded[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > settings.IMPORT_MAX_BYTES:
            most = settings.IMPORT_MAX_BYTES // 1024**2
            raise forms.ValidationError(_("The file is larger than %(most)s MB.") % {"most": f"{most:,}"})
        return file


class MappingForm(forms.Form):
    text = forms.ChoiceField(label=gettext_lazy("Text"))
    id = forms.ChoiceField(
        label=gettext_lazy("Id"),
        required=False,
        help_text=gettext_lazy("A document that comes again with the same id is updated."),
    )
    label = forms.ChoiceField(label=gettext_lazy("Label"), required=False)
    spans = forms.ChoiceField(label=gettext_lazy("Spans"), required=False)
    separator = forms.CharField(
        label=gettext_lazy("Labels are separated by"), max_length=5, required=False, strip=False
    )
    meta = forms.MultipleChoiceField(
        label=gettext_lazy("Keep beside the text"), required=False, widget=forms.CheckboxSelectMultiple
    )
    create_labels = forms.BooleanField(
        label=gettext_lazy("Create labels that the project does not have yet"), required=False
    )
    gold = forms.BooleanField(
        label=gettext_lazy("The labels are gold answers: they count before all others on their documents"),
        required=False,
    )
    empty_is_answer = forms.BooleanField(
        label=gettext_lazy("An empty label cell is an answer: none of the labels applies"), required=False
    )

    def __init__(
        self,
        data: Any,
        *,
        rows: Sequence[Row],
        mapping: ColumnMapping,
        findings: Findings,
        task_type: TaskType,
    ) -> None:
        super().__init__(data, initial=mapping.dump(), auto_id="map_%s")
        self.rows, self.declared, self.findings = rows, mapping, findings
        names = list(dict.fromkeys(name for row in rows for name in row.cells))
        columns = [(name, name) for name in names]
        optional = [("", _("None")), *columns]
        for field, choices in (
            ("text", columns),
            ("id", optional),
            ("label", optional),
            ("spans", optional),
            ("meta", columns),
        ):
            choice = self.fields[field]
            assert isinstance(choice, forms.ChoiceField)
            choice.choices = choices
        if not task_type.has_kinds:
            del self.fields["spans"]
        if not task_type.separators:
            del self.fields["separator"]
        if not task_type.may_be_empty:
            del self.fields["empty_is_answer"]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        chosen = [values.get(field) for field in _OWN_COLUMNS if values.get(field)]
        if len(set(chosen)) < len(chosen):
            raise forms.ValidationError(_("Choose a different column for the text, the id and the label."))
        return values

    def mapping(self) -> ColumnMapping:
        chosen = self.cleaned_data
        # A column that the guess kept beside the text may have become the id or the label since.
        used = {chosen.get(field) for field in _OWN_COLUMNS}
        meta = [name for name in chosen["meta"] if name not in used]
        return ColumnMapping.load({**self.declared.dump(), **chosen, "meta": meta})


class ProjectFileForm(forms.Form):
    """What a project is that begins with its file; all of it is guessed, and can be chosen otherwise."""

    name = NameField(label=gettext_lazy("Name of the project"), max_length=200)
    slug = forms.SlugField(
        label=gettext_lazy("Short name"),
        max_length=50,
        help_text=gettext_lazy("Part of the project's address."),
    )
    text = forms.ChoiceField(label=gettext_lazy("Column of the texts"))
    label = forms.ChoiceField(
        label=gettext_lazy("Column of the labels"),
        required=False,
        help_text=gettext_lazy("The labels that stand in it become those of the project."),
    )
    spans = forms.ChoiceField(
        label=gettext_lazy("Column of the spans"),
        required=False,
        help_text=gettext_lazy("Only where documents have labels and pieces of their texts have others."),
    )
    task = forms.ChoiceField(
        label=gettext_lazy("Task"),
        widget=forms.RadioSelect,
        help_text=gettext_lazy("Fixed once the project is made."),
    )
    separator = forms.CharField(
        label=gettext_lazy("Several labels in one cell are separated by"),
        max_length=5,
        required=False,
        strip=False,
    )

    def __init__(
        self,
        data: Any,
        *,
        rows: Sequence[Row],
        mapping: ColumnMapping,
        findings: Findings,
        project: Project,
    ) -> None:
        guess = {"name": project.name, "slug": project.slug, "task": project.task}
        super().__init__(data, initial={**mapping.dump(), **guess}, auto_id="begin_%s", label_suffix="")
        self.declared, self.findings = mapping, findings
        names = list(dict.fromkeys(name for row in rows for name in row.cells))
        columns = [(name, name) for name in names]
        for field, choices in (
            ("text", columns),
            ("label", [("", _("None: the labels are added later")), *columns]),
            ("spans", [("", _("None")), *columns]),
            ("task", task_types.choices()),
        ):
            choice = self.fields[field]
            assert isinstance(choice, forms.ChoiceField)
            choice.choices = choices

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("text") and values.get("text") == values.get("label"):
            raise forms.ValidationError(_("Choose different columns for the texts and the labels."))
        if values.get("spans") and values["spans"] in (values.get("text"), values.get("label")):
            raise forms.ValidationError(_("Choose another column for the spans."))
        task_type = TASK_TYPES.get(values.get("task", ""))
        if values.get("spans") and task_type and not task_type.has_kinds:
            self.add_error("spans", _("This task has labels of one kind; choose their column above."))
        return values

    def mapping(self) -> ColumnMapping:
        chosen, declared = self.cleaned_data, self.declared
        used = {chosen["text"], chosen["label"], chosen["spans"]}
        freed = [name for name in (declared.text, declared.label) if name and name not in used]
        return replace(
            declared,
            text=chosen["text"],
            label=chosen["label"],
            spans=chosen["spans"],
            empty_is_answer=declared.empty_is_answer or bool(chosen["spans"]),
            id="" if declared.id in used else declared.id,
            separator=chosen["separator"] or declared.separator,
            # A column that was guessed to be the text or the label stays beside the text.
            meta=tuple(name for name in (*declared.meta, *freed) if name not in used),
        )

    def changes(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ("name", "slug", "task")}


class LabelChoiceForm(forms.Form):
    """What becomes of one label of a file that the project does not offer."""

    name = forms.CharField(widget=forms.HiddenInput, strip=False)
    choice = forms.ChoiceField()

    def __init__(self, data: Any, *, label: MissingLabel, offered: Mapping[int, str], number: int) -> None:
        first = CREATE if not label.why else LEAVE
        initial = {"name": label.name, "choice": label.choice or label.like or first}
        super().__init__(data, initial=initial, prefix=f"label-{number}", label_suffix="")
        self.label = label
        choice = self.fields["choice"]
        assert isinstance(choice, forms.ChoiceField)
        choice.label = _("What becomes of “%(name)s”") % {"name": label.name}
        made = [] if label.why else [(CREATE, _("Add it as a new label"))]
        choice.choices = [
            *made,
            (LEAVE, _("Leave these texts without a label")),
            (_("It is the same as"), list(offered.items())),
        ]

    @property
    def chosen(self) -> Choice:
        choice: str = self.cleaned_data["choice"]
        return choice if choice in (CREATE, LEAVE) else int(choice)


def label_choices(data: Any, upload: Import, missing: Sequence[MissingLabel]) -> list[LabelChoiceForm]:
    """Return a form for each label that the project does not offer, as far as they are listed."""
    offered = dict(upload.project.labels.live().values_list("pk", "name"))
    named = [label for label in missing if label.name]
    if data is not None:
        # The page may be older than the counts: each form is found by its label's name.
        by_name = {label.name: label for label in named}
        sent = [data.get(f"label-{number}-name", "") for number in range(len(data))]
        return [
            LabelChoiceForm(data, label=by_name[name], offered=offered, number=number)
            for number, name in enumerate(sent)
            if name in by_name
        ]
    return [
        LabelChoiceForm(None, label=label, offered=offered, number=number)
        for number, label in enumerate(named)
    ]


def declared(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the lead says of the file itself; anything unknown means "find out"."""
    encoding, delimiter = data.get("encoding", ""), data.get("delimiter", "")
    sheet = data.get("sheet", "")  # the file is asked whether it has it, where it has sheets at all
    return {
        "encoding": encoding if encoding in ENCODINGS else "",
        "delimiter": delimiter if delimiter in DELIMITERS else "",
        "header": HEADERS.get(data.get("header", "")),
        "sheet": "" if text_fault(sheet) or len(sheet) > LONGEST_SHEET else sheet,
    }


def sample_table(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the first rows as a table of text, cut so that a page shows them."""
    names = list(dict.fromkeys(name for row in rows for name in row.cells))
    body = [
        {
            "number": row.number,
            "problem": row.problem,
            "cells": [_shown(row.cells.get(name)) or row.faults.get(name, "") for name in names],
        }
        for row in rows[:SHOWN]
    ]
    return {"names": names, "rows": body, "encodings": ENCODINGS, "delimiters": DELIMITERS.items()}


def _shown(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
