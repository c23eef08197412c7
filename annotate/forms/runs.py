"""What a lead trains by hand: a family as it is, a variant of it, or two versions combined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from annotate.forms.projects import family_choices
from annotate.models import Project
from annotate.services.runs.schedule import CASCADE, able_families
from annotate.services.versions.variants import ENCODER, PREPARE, TEACHER, TUNED
from training.registry import FAMILIES

CHECKPOINT = "checkpoint"
HEADS = {"logistic": _("Logistic regression"), "svm": _("Linear SVM"), "lightgbm": _("LightGBM")}
IMBALANCES = {
    "usual": _("What suits the task"),
    "none": _("Nothing is done"),
    "balanced": _("Weights that let labels count alike"),
    "focal": _("Focal loss"),
    "undersample": _("Fewer documents of common labels"),
    "smote": _("Made-up vectors of rare labels (SMOTE)"),
    "augment": _("Changed copies of documents of rare labels"),
}
TITLES = {
    "head": _("Head"),
    "imbalance": _("Where labels are rare"),
    ENCODER: _("Encoder"),
    CHECKPOINT: _("Checkpoint"),
    TEACHER: _("Learns from"),
}


@dataclass(frozen=True, slots=True)
class Group:
    """The fields of one family."""

    key: str
    title: str
    fields: tuple[forms.BoundField, ...]


class TrainForm(forms.Form):
    """The automatic families, or one that is named; then each of its options has a field `family-option`.

    The page shows the options of the chosen family; those of others are posted too and not looked at.
    """

    family = forms.ChoiceField(label=_("Model family"), required=False)

    def __init__(self, data: QueryDict | None = None, *, project: Project) -> None:
        super().__init__(data, label_suffix="")
        family = self.fields["family"]
        assert isinstance(family, forms.ChoiceField)
        family.choices = [("", _("Those that train by themselves")), *family_choices(project.task)]
        self._options = {key: _options(project, key) for key in able_families(project.task)}
        for key, options in self._options.items():
            for option, choices in options.items():
                self.fields[f"{key}-{option}"] = forms.ChoiceField(
                    label=TITLES[option], required=False, choices=choices
                )

    def groups(self) -> list[Group]:
        """Return the options of each family that has some."""
        return [
            Group(key, FAMILIES[key].label, tuple(self[f"{key}-{option}"] for option in options))
            for key, options in self._options.items()
            if options
        ]

    @property
    def config(self) -> dict[str, Any] | None:
        """What is chosen for the named family beyond its usual way; None where none is named."""
        family = self.cleaned_data["family"]
        if not family:
            return None
        chosen = {option: self.cleaned_data[f"{family}-{option}"] for option in self._options[family]}
        usual = {option: choices[0] for option, choices in FAMILIES[family].choices.items()}
        config: dict[str, Any] = {
            option: value for option, value in chosen.items() if value not in ("", usual.get(option))
        }
        return config | ({PREPARE: True} if ENCODER in config else {})


Choices = list[tuple[str, Any]]


def _options(project: Project, family: str) -> dict[str, Choices]:
    """Return what can be chosen for a family: its parameters, what it reads with, and who teaches it."""
    names = HEADS | IMBALANCES
    found: dict[str, Choices] = {
        option: [(value, names[value]) for value in values]
        for option, values in FAMILIES[family].choices.items()
    }
    others = [(name, name) for name in settings.CHECKPOINTS]
    if family == "embedding":
        own = [(TUNED, _("Tuned on this project's labels first, which takes minutes"))]
        found[ENCODER] = [("", _("The site's")), *own, *others]
    if family == "transformer" and others:
        found[CHECKPOINT] = [("", _("The usual one")), *others]
    teachers = _teachers(project, family) if FAMILIES[family].learns else []
    if teachers:
        found[TEACHER] = [("", _("People's labels alone")), *teachers]
    return found


def _teachers(project: Project, family: str) -> Choices:
    """Return the other families with a kept version, each of which can label the pool for this one."""
    kept = project.versions.exclude(bundle="").exclude(family=family).order_by("family")
    return [
        (key, _("Them, and %(family)s on the pool") % {"family": _named(key)})
        for key in kept.values_list("family", flat=True).distinct()
    ]


def _named(family: str) -> Any:
    if family == CASCADE:
        return _("the cascade")
    return FAMILIES[family].label if family in FAMILIES else family


class CascadeForm(forms.Form):
    """Which two versions become a cascade, by their numbers."""

    cheap = forms.IntegerField()
    strong = forms.IntegerField()

    def __init__(self, data: QueryDict, *, project: Project) -> None:
        super().__init__(data)
        self.kept = set(project.versions.exclude(bundle="").values_list("number", flat=True))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        numbers = {values.get("cheap"), values.get("strong")}
        if len(numbers) < 2 or not numbers <= self.kept:
            raise forms.ValidationError(_("A cascade needs two versions whose bundles are kept."))
        return values
