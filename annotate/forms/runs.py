"""What a lead trains by hand: a family as it is, a variant of it, or two versions combined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotate.forms.projects import family_choices
from annotate.models import Project
from annotate.models.runs import family_title
from annotate.services.runs.schedule import able_families
from annotate.services.versions.variants import TUNED, RunConfig
from training.registry import FAMILIES, Family

# Options that are no parameters of a family that the registry tells of; the names are those of the fields.
ENCODER, TEACHER, CHECKPOINT = "encoder", "teacher", "checkpoint"
Choices = list[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class RunOption:
    """One thing that can be chosen for a run of a family; the first of the choices is the usual one."""

    name: str
    title: Any
    choices: Choices


@dataclass(frozen=True, slots=True)
class Group:
    """The fields of one family."""

    key: str
    title: str
    help: str
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
        self._options = {key: run_options(project, FAMILIES[key]) for key in able_families(project.task)}
        for key, options in self._options.items():
            for option in options:
                self.fields[f"{key}-{option.name}"] = forms.ChoiceField(
                    label=option.title, required=False, choices=option.choices
                )

    def groups(self) -> list[Group]:
        """Return the options of each family that has some."""
        return [
            Group(
                key,
                gettext(FAMILIES[key].title),
                gettext(FAMILIES[key].help),
                tuple(self[f"{key}-{option.name}"] for option in options),
            )
            for key, options in self._options.items()
            if options
        ]

    @property
    def config(self) -> RunConfig | None:
        """What is chosen for the named family beyond its usual way; None where none is named."""
        family = self.cleaned_data["family"]
        if not family:
            return None
        chosen = {
            option.name: self.cleaned_data[f"{family}-{option.name}"] for option in self._options[family]
        }
        usual = FAMILIES[family].usual
        encoder, teacher = chosen.pop(ENCODER, ""), chosen.pop(TEACHER, "")
        parameters = {name: value for name, value in chosen.items() if value not in ("", usual.get(name))}
        return RunConfig(parameters, teacher=teacher, encoder=encoder, prepare=bool(encoder))


def run_options(project: Project, family: Family) -> list[RunOption]:
    """Return what can be chosen for a run: the family's options, what it reads with, and who teaches it."""
    found = [
        RunOption(
            option.name, gettext(option.title), [(key, gettext(title)) for key, title in option.choices]
        )
        for option in family.options
    ]
    named: Choices = [(name, name) for name in settings.CHECKPOINTS]
    if family.takes_encoder:
        own: Choices = [("", _("The site's"))]
        own += [(TUNED, _("Tuned on this project's labels first, which takes minutes"))]
        found.append(RunOption(ENCODER, _("Encoder"), own + named))
    if family.takes_checkpoint and named:
        found.append(RunOption(CHECKPOINT, _("Checkpoint"), [("", _("The usual one")), *named]))
    # Any other family with a kept version can label the pool for one that learns from labels.
    kept = project.versions.exclude(bundle="").exclude(family=family.key).order_by("family")
    teachers: Choices = [
        (key, _("Them, and %(family)s on the pool") % {"family": family_title(key)})
        for key in kept.values_list("family", flat=True).distinct()
    ]
    if family.can_be_taught and teachers:
        found.append(RunOption(TEACHER, _("Learns from"), [("", _("People's labels alone")), *teachers]))
    return found


class CascadeForm(forms.Form):
    """Which two versions become a cascade, by their numbers."""

    cheap = forms.IntegerField(required=False)
    strong = forms.IntegerField(required=False)

    def __init__(self, data: QueryDict, *, project: Project) -> None:
        super().__init__(data)
        self.kept = set(project.versions.exclude(bundle="").values_list("number", flat=True))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        numbers = {values.get("cheap"), values.get("strong")}
        if len(numbers) < 2 or not numbers <= self.kept:
            raise forms.ValidationError(_("A cascade needs two versions whose bundles are kept."))
        return values
