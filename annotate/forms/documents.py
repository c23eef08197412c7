"""The filters of the documents page, which read the query string, and a lead's answer to one document."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from annotate.forms.keys import LARGEST_KEY, as_key
from annotate.forms.names import NameField
from annotate.models import Annotation, Label, Project, User
from annotate.services import sentences
from annotate.services.documents import columns, orders
from annotate.services.documents.comments import LONGEST as LONGEST_COMMENT
from annotate.services.documents.filters import FILTERS, Filter, Kind
from annotate.services.documents.finding import metadata, search, similar
from annotate.services.documents.orders import ListPlace, Sorting
from annotate.services.labeling.decisions import LONGEST_REASON
from annotate.task_types import answers
from training.types import Answer

MOST_BATCHES = 100  # that are offered; links may name any
PLACES = ("after", "until", "before")


class Switch(forms.CheckboxInput):
    """A box that is ticked by the words that a browser or a link sends for it, and by no others."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return data.get(name) in {"1", "on"}


class SearchField(forms.CharField):
    """Words to search for; what nothing can be searched with is said beside the field."""

    def validate(self, value: str) -> None:
        super().validate(value)
        if value and (fault := search.parse(value).fault):
            raise forms.ValidationError(fault)


class LikeDocumentField(forms.IntegerField):
    """A document that others are compared with; why that cannot be is said beside the field."""

    widget = forms.HiddenInput

    def __init__(self, project: Project, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=LARGEST_KEY, **kwargs)
        self.project = project

    def validate(self, value: int | None) -> None:
        super().validate(value)
        if value is None:
            return
        document = self.project.documents.filter(pk=value).first()
        if document is None:
            raise forms.ValidationError(_("There is no such document any more."))
        if fault := similar.fault(self.project, document):
            raise forms.ValidationError(fault)


class LikePhraseField(forms.CharField):
    """A phrase that documents are compared with; why that cannot be is said beside the field."""

    widget = forms.HiddenInput

    def __init__(self, project: Project, **kwargs: Any) -> None:
        super().__init__(max_length=search.LONGEST, **kwargs)
        self.project = project

    def validate(self, value: str) -> None:
        super().validate(value)
        if value and (fault := similar.fault(self.project)):
            raise forms.ValidationError(fault)


class PhraseForm(forms.Form):
    """What texts are to be like."""

    q = forms.CharField(label=_("Like this phrase"), max_length=search.LONGEST)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data if "q" in data else None, label_suffix="")


class DayField(forms.CharField):
    """A day as browsers and links write it; it stays a text, as the values of filters do."""

    widget = forms.DateInput(attrs={"type": "date"})

    def clean(self, value: str) -> str:
        text = super().clean(value)
        try:
            day = date.fromisoformat(text) if text else None
        except ValueError:
            day = date.min
        if day is not None and not 1970 <= day.year < 2200:
            fault = _("“%(value)s” is no day: write it like 2026-11-30.")
            raise forms.ValidationError(fault, params={"value": text})
        return day.isoformat() if day else ""


class PercentField(forms.FloatField):
    # NB: not the input of numbers, which would hide a word from an address beside the sentence about it.
    widget = forms.TextInput(attrs={"inputmode": "decimal"})
    default_error_messages = {"invalid": _("Write a number from 0 to 100.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=100, **options)


class EntryField(forms.CharField):
    widget = forms.TextInput(attrs={"list": "metadata-keys", "dir": "auto"})

    def validate(self, value: str) -> None:
        super().validate(value)
        try:
            if value:
                metadata.parse(value)
        except ValueError as fault:
            raise forms.ValidationError(str(fault)) from fault


class FilterForm(forms.Form):
    """What the query string asks for.

    A value that a filter cannot have is left out and said beside its field: an old bookmark may name a label
    that is gone.
    """

    def __init__(self, data: QueryDict, *, project: Project) -> None:
        super().__init__(data, label_suffix="")
        self.project = project
        own = {"project": project, "annotator": OuterRef("pk")}
        people = User.objects.filter(
            Q(Exists(Annotation.objects.filter(**own))) | Q(memberships__project=project)
        )
        batch = as_key(data.get("batch", ""))
        batches = [*project.batches.order_by("-pk")[:MOST_BATCHES], *project.batches.filter(pk=batch or 0)]
        self._choices = {
            Kind.LABEL: list(project.labels.values_list("pk", "name")),
            Kind.PERSON: list(people.distinct().order_by("username").values_list("pk", "username")),
            Kind.IMPORT: list(
                project.imports.exclude(created=0).exclude(dry_run=True).values_list("pk", "name")
            ),
            Kind.BATCH: [(batch.pk, str(batch)) for batch in dict.fromkeys(batches)],
        }
        self.fields = {name: self._field(entry) for name, entry in FILTERS.items()}

    def _field(self, entry: Filter) -> forms.Field:
        if entry.values is Kind.TEXT:
            return SearchField(
                label=entry.title,
                required=False,
                max_length=search.LONGEST,
                help_text=_("All words, “a phrase” in quotes, -without. Case and accents do not count."),
            )
        if entry.values is Kind.DOCUMENT:
            return LikeDocumentField(self.project, label=entry.title, required=False)
        if entry.values is Kind.PHRASE:
            return LikePhraseField(self.project, label=entry.title, required=False)
        if entry.values is Kind.DAY:
            return DayField(label=entry.title, required=False, max_length=20)
        if entry.values is Kind.PERCENT:
            return PercentField(label=entry.title, required=False)
        if entry.values is Kind.ENTRY:
            return EntryField(
                label=entry.title,
                required=False,
                max_length=metadata.LONGEST,
                help_text=_("A key, or “key = value”."),
            )
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
        # NB: 0 per cent is a value, and equal to False.
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if value is not None and value is not False and value != ""
        }

    @property
    def first(self) -> list[forms.BoundField]:
        return [self[name] for name, entry in FILTERS.items() if entry.is_first]

    @property
    def more(self) -> list[forms.BoundField]:
        return [self[name] for name, entry in FILTERS.items() if entry.is_shown and not entry.is_first]

    @property
    def more_is_wrong(self) -> bool:
        """Whether one of the filters that the form keeps folded away has an error to show."""
        return any(field.errors for field in self.more)

    @property
    def more_in_force(self) -> int:
        """How many of the filters that the form keeps folded away are asked for."""
        return sum(field.name in self.wanted for field in self.more)

    @property
    def in_force(self) -> list[tuple[str, Any, Any]]:
        """The filters in force: the name, the title and the value as people read it, empty for a switch."""
        told = []
        for name, value in self.wanted.items():
            field = self.fields[name]
            choices: dict[Any, Any] = {}
            if isinstance(field, forms.ChoiceField):
                choices = dict(field.choices)  # type: ignore[arg-type]
            told.append((name, field.label, "" if value is True else choices.get(value, value)))
        return told

    @property
    def carried(self) -> dict[str, str]:
        """The filters in force as a link carries them to the pages of the documents that fit."""
        return {name: str(self.data.get(name)) for name in self.wanted}


class TableForm(forms.Form):
    """Which columns the documents page shows, in which order, and which page of them, by the query string.

    What is not there is left out and said. `before` begins a page like `after`: links of an earlier site have
    it.
    """

    sort = forms.ChoiceField(
        label=_("Order"),
        required=False,
        choices=orders.CHOICES,
        error_messages={"invalid_choice": _("There is no order “%(value)s”; the newest stand first.")},
    )
    column = forms.MultipleChoiceField(
        label=_("Columns"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("This table has no column “%(value)s”.")},
    )

    def __init__(self, data: QueryDict, *, project: Project) -> None:
        asked = data.getlist("column") or columns.USUAL
        data = data.copy()
        data.setlist("column", asked)
        data["sort"] = data.get("sort") or orders.USUAL
        super().__init__(data, label_suffix="")
        self.asked = set(asked)
        self.keys = columns.metadata_keys(project)
        self.titles = columns.titles(self.keys, asked=asked)
        self.fields["column"].choices = list(self.titles.items())  # type: ignore[attr-defined]

    @property
    def columns(self) -> list[tuple[str, Any]]:
        """The chosen columns with their titles, in the order of the table."""
        return [(name, title) for name, title in self.titles.items() if name in self.asked]

    @property
    def sorting(self) -> Sorting:
        self.is_valid()
        return Sorting(self.cleaned_data.get("sort", orders.USUAL))

    @property
    def unknown(self) -> list[str]:
        """What the address asks for and this page does not know, as a filter of an earlier site."""
        return sorted(set(self.data) - {*FILTERS, *PLACES, "sort", "column"})

    @property
    def after(self) -> ListPlace | None:
        return self._place("after") or self._place("before")

    @property
    def until(self) -> ListPlace | None:
        return self._place("until")

    @property
    def is_lost(self) -> bool:
        """Whether the address names a place that this order does not have."""
        return any(self.data.get(name) and not self._place(name) for name in PLACES)

    def _place(self, name: str) -> ListPlace | None:
        try:
            return self.sorting.read(self.data.get(name, ""))
        except ValueError:
            return None

    @property
    def carried(self) -> list[tuple[str, str]]:
        """The order and the columns as links carry them to other pages, where they are not the usual ones."""
        sort, chosen = self.sorting.name, [name for name, _title in self.columns]
        return [
            *([("sort", sort)] if sort != orders.USUAL else []),
            *([("column", name) for name in chosen] if chosen != columns.USUAL else []),
        ]


def without_place(data: QueryDict) -> QueryDict:
    """Return what an address asks of the table, at its first page, without empty fields and unknown ones."""
    kept = data.copy()
    for name in data:
        if name not in {*FILTERS, "sort", "column"} or not data[name]:
            del kept[name]
    return kept


class SavedViewForm(forms.Form):
    name = NameField(label=_("Name"), max_length=100)
    is_shared = forms.BooleanField(label=_("For everybody who sees the project’s documents"), required=False)

    def __init__(self, data: QueryDict | None = None, *, can_share: bool, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)
        if not can_share:
            del self.fields["is_shared"]


class AnswerForm(forms.Form):
    """A lead's answer, with the choices of the project's task; what was chosen stays so where it is refused.

    `key` makes a form that is sent twice count once.
    """

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    reason = forms.CharField(
        label=_("Why (optional, kept with the answer)"), required=False, max_length=LONGEST_REASON
    )

    def __init__(self, data: QueryDict | None = None, *, project: Project, standing: Answer | None) -> None:
        super().__init__(data, label_suffix="")
        self.task_type = project.task_type
        self.labels: list[Label] = list(project.labels.live())
        self.answer = standing
        self.is_none = standing is not None and standing == Answer()
        self.sent = data if data is not None else QueryDict()
        if data is not None:
            self.is_none = data.get("none") == "1"
            try:
                self.answer = self.task_type.read_form(data)
            except ValueError:
                self.answer = None

    @property
    def choices(self) -> list[tuple[Label, bool]]:
        chosen = self.answer.labels if self.answer else ()
        return [(label, label.pk in chosen) for label in self.labels]

    def clean(self) -> dict[str, Any]:
        known = {label.pk for label in self.labels}
        if self.answer is None or not known.issuperset(answers.labels_of(self.answer)):
            self.add_error(None, _("A chosen label is not one of this project's labels. Choose again."))
        elif fault := self.task_type.form_fault(self.sent, self.answer) or self.task_type.fault(self.answer):
            self.add_error(None, sentences.translated(fault))
        return self.cleaned_data


class CommentForm(forms.Form):
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    text = forms.CharField(
        label=_("Comment for leads and reviewers"),
        help_text=_("A member whom you name, as in @anton, sees it, also one who only labels."),
        max_length=LONGEST_COMMENT,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
    )

    def __init__(self, data: QueryDict | None = None, *, to: str = "") -> None:
        initial = {"text": f"@{to} "} if to else {}
        super().__init__(data, initial=initial, auto_id="comment_%s", label_suffix="")


class HandForm(forms.Form):
    """To whom a document is handed: a member who can log in."""

    person = forms.ModelChoiceField(User.objects.none(), label=_("Hand it to"), empty_label=None)

    def __init__(self, data: QueryDict | None = None, *, project: Project) -> None:
        super().__init__(data, auto_id="hand_%s", label_suffix="")
        person = self.fields["person"]
        assert isinstance(person, forms.ModelChoiceField)
        members = User.objects.filter(memberships__project=project, is_active=True, is_machine=False)
        person.queryset = members.order_by("username")
