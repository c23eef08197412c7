"""The dictionary of a project as a lead writes it: a line for each entry."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.models import Project
from annotate.services.projects import dictionary
from annotate.task_types import label_names

LONGEST = dictionary.MOST_ENTRIES * (dictionary.LONGEST + 200)


class DictionaryForm(forms.Form):
    """Words, a bar or a tab, and the name of a label, in each line; `cleaned_data` has labels by words."""

    entries = forms.CharField(
        label=gettext_lazy("Entries"),
        help_text=gettext_lazy(
            "One a line: the words, a bar or a tab, and the label, as in “New York | place”. Case counts."
        ),
        max_length=LONGEST,
        required=False,
        widget=forms.Textarea(attrs={"rows": 20, "dir": "auto", "spellcheck": "false"}),
    )
    seen = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, data: Any = None, *, project: Project) -> None:
        self.labels = {label.name: label.pk for label in project.labels.live()}
        kept = dictionary.entries(project)
        names = {pk: name for name, pk in self.labels.items()}
        lines = [f"{words} | {names[label]}" for words, label in kept.items()]
        initial = {"entries": "\n".join(lines), "seen": dictionary.digest(kept)}
        super().__init__(data, initial=initial, label_suffix="")

    def clean_entries(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for number, line in enumerate(self.cleaned_data["entries"].splitlines(), start=1):
            if not line.strip():
                continue
            words, label = self._read(line, number)
            if found.setdefault(words, label) != label:
                sentence = _("Line %(n)s: “%(words)s” has another label further up. Keep one of the lines.")
                raise forms.ValidationError(sentence % {"n": number, "words": words})
        if len(found) > dictionary.MOST_ENTRIES:
            sentence = _("A dictionary takes at most %(most)s entries; these are %(n)s.")
            raise forms.ValidationError(
                sentence % {"most": f"{dictionary.MOST_ENTRIES:,}", "n": f"{len(found):,}"}
            )
        return found

    def _read(self, line: str, number: int) -> tuple[str, int]:
        before, mark, after = line.rpartition("\t" if "\t" in line else "|")
        words, name = before.strip(), label_names.tidy(after)
        if not mark or not words:
            sentence = _("Line %(n)s: write the words, then a bar and the label, as in “New York | place”.")
            raise forms.ValidationError(sentence % {"n": number})
        if len(words) > dictionary.LONGEST:
            sentence = _("Line %(n)s: an entry has at most %(most)s characters.")
            raise forms.ValidationError(sentence % {"n": number, "most": dictionary.LONGEST})
        if name not in self.labels:
            sentence = _("Line %(n)s: “%(name)s” is no label of this project.")
            raise forms.ValidationError(sentence % {"n": number, "name": name})
        return words, self.labels[name]
