"""What a lead wants done to many documents, and that they mean it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.models import Project, User
from annotate.models.bulk import BulkAction, BulkOptions
from annotate.models.documents import Lane
from training.types import Answer

ANSWERS = (BulkAction.LABEL, BulkAction.ADD, BulkAction.REMOVE)


def offered(project: Project) -> list[BulkAction]:
    """Return what can be done in a project: labels are given to whole texts, or added where any may apply."""
    hidden = {BulkAction.UNDO}
    if project.task_type.marks_text:
        hidden |= {*ANSWERS}  # what many texts have in common is no piece of each
    elif not project.task_type.toggles:
        hidden |= {BulkAction.ADD, BulkAction.REMOVE}
    return [action for action in BulkAction if action not in hidden]


class BulkForm(forms.Form):
    """The options of one action; an action that has none is a button alone."""

    labels = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Labels"), coerce=int, widget=forms.CheckboxSelectMultiple, required=False
    )
    label = forms.TypedChoiceField(label=gettext_lazy("Label"), coerce=int)
    none = forms.BooleanField(label=gettext_lazy("None applies"), required=False)
    gold = forms.TypedChoiceField(
        label=gettext_lazy("As"),
        coerce=lambda value: value == "gold",
        choices=[("own", gettext_lazy("My own answer")), ("gold", gettext_lazy("The gold answer"))],
        widget=forms.RadioSelect,
        initial="own",
    )
    lane = forms.ChoiceField(label=gettext_lazy("Lane to move them to"), choices=Lane.choices)
    name = forms.CharField(label=gettext_lazy("Name of the list"), max_length=100)
    people = forms.TypedMultipleChoiceField(
        label=gettext_lazy("People who label them"), coerce=int, widget=forms.CheckboxSelectMultiple
    )
    each = forms.TypedChoiceField(
        label=gettext_lazy("A document goes to"),
        coerce=lambda value: value == "each",
        choices=[("one", gettext_lazy("one of them")), ("each", gettext_lazy("each of them"))],
        widget=forms.RadioSelect,
        initial="one",
    )
    second = forms.BooleanField(
        label=gettext_lazy("Also those that are answered already, for a second opinion"), required=False
    )

    def __init__(self, data: QueryDict | None, *, project: Project, action: BulkAction, by: User) -> None:
        super().__init__(data, label_suffix="", auto_id="bulk_%s", initial={"people": [by.pk]})
        self.task_type, self.action = project.task_type, action
        labels = list(project.labels.live().values_list("pk", "name"))
        choices = {
            "labels": labels,
            "label": labels,
            "people": project.people_to_ask(by),
        }
        for name, values in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = values
        names = self._names()
        self.fields = {name: self.fields[name] for name in names}

    def _names(self) -> list[str]:
        if self.action == BulkAction.LABEL and self.task_type.toggles:
            return ["labels", *(["none"] if self.task_type.may_be_empty else []), "gold"]
        if self.action in ANSWERS:
            return ["label", "gold"]
        if self.action == BulkAction.LIST:
            return ["name", "people", "each", "second"]
        return ["lane"] if self.action == BulkAction.MOVE else []

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "labels" not in self.fields or self.errors:
            return values
        if values.get("none") and values["labels"]:
            raise forms.ValidationError(
                _("Labels were chosen, and “None applies” as well. Choose one or the other.")
            )
        if not values.get("none") and not values["labels"]:
            raise forms.ValidationError(_("Choose a label."))
        if fault := self.task_type.fault(Answer(tuple(values["labels"]))):
            raise forms.ValidationError(fault)
        return values

    @property
    def options(self) -> BulkOptions:
        values = dict(self.cleaned_data)
        values.pop("none", None)
        if "label" in values:
            values["labels"] = [values.pop("label")]
        return BulkOptions.load(values)


class TypedCountForm(forms.Form):
    """Asks for the number of documents that are to be deleted, so that nobody deletes more by mistake."""

    count = forms.CharField(
        label=gettext_lazy("Type how many documents there are, to delete them"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )

    def __init__(self, data: QueryDict | None, *, count: int) -> None:
        super().__init__(data, label_suffix="")
        self._wanted = count

    def clean_count(self) -> str:
        typed: str = self.cleaned_data["count"]
        if "".join(filter(str.isdigit, typed)) != str(self._wanted):
            raise forms.ValidationError(
                _("That is not how many there are, so nothing was deleted. Type %(n)s.") % {"n": self._wanted}
            )
        return typed
