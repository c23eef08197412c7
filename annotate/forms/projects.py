from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotate import task_types
from annotate.forms.names import NameField
from annotate.models import Project
from annotate.models.members import Role
from annotate.models.projects import MOST_CARD_METADATA, MOST_SHARE
from annotate.services.documents import columns
from annotate.services.projects import dictionary
from annotate.services.runs import schedule
from annotate.services.versions import reportcards
from annotate.task_types import TASK_TYPES, label_names
from training.registry import FAMILIES, STRATEGIES, families_in_order
from training.storable import is_blank
from training.types import Task

LONGEST_NAME = 200  # characters, of a project as of a label
MOST_BETA = 100  # beyond it, recall alone counts
CHOSEN_AGAIN = _("After a change, what waits in the queue is chosen again; open cards stay.")
LABELS_HELP = _("One label per line; a description may follow a colon, as in “refund: wants money back”.")


class ProjectSearchForm(forms.Form):
    """What the list of projects is asked for; what makes no sense is left out, as of an old bookmark."""

    q = forms.CharField(label=_("Find a project"), required=False, max_length=LONGEST_NAME)
    page = forms.IntegerField(required=False, min_value=1, max_value=100_000, widget=forms.HiddenInput)

    @property
    def words(self) -> str:
        self.is_valid()
        return str(self.cleaned_data.get("q", ""))

    @property
    def number(self) -> int:
        self.is_valid()
        return self.cleaned_data.get("page") or 1


def parse_labels(text: str) -> list[tuple[str, str]]:
    """Return the (name, description) of each line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    parts = [line.partition(": ") for line in lines]
    return [(label_names.tidy(name), description.strip()) for name, _colon, description in parts]


def checked_labels(text: str) -> list[tuple[str, str]]:
    """Return what `parse_labels` does, or raise for the first line whose name no label can have."""
    labels = parse_labels(text)
    seen: set[str] = set()
    for name, _description in labels:
        shown = name if len(name) <= 60 else f"{name[:60]}…"
        if is_blank(name):
            raise forms.ValidationError(
                gettext("A line has no name that can be seen; every label needs one.")
            )
        if len(name) > LONGEST_NAME:
            raise forms.ValidationError(
                gettext("The name “%(name)s” has %(length)s characters; at most %(most)s are stored.")
                % {"name": shown, "length": f"{len(name):,}", "most": LONGEST_NAME}
            )
        if name in seen:
            raise forms.ValidationError(
                gettext("The label “%(name)s” is there twice; take one of them out.") % {"name": shown}
            )
        seen.add(name)
    return labels


class TaskSelect(forms.Select):
    """Tells the style sheet which tasks have labels of two kinds, so that both are asked for there alone."""

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)
        if value and TASK_TYPES[str(value)].has_kinds:
            option["attrs"]["data-has-kinds"] = ""
        return option


class ProjectForm(forms.ModelForm):  # type: ignore[type-arg]
    name = NameField(label=_("Name"), max_length=LONGEST_NAME)
    labels = forms.CharField(
        label=_("Labels"),
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=LABELS_HELP,
    )

    span_labels = forms.CharField(
        label=_("Labels of pieces of the text"),
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text=_(
            "Only where documents have labels and pieces of their texts have others: those of the pieces, "
            "one per line. A label stays with one of the two."
        ),
        required=False,
    )

    class Meta:
        model = Project
        fields = ["name", "slug", "task", "labels", "span_labels", "guidelines"]
        widgets = {"guidelines": forms.Textarea(attrs={"rows": 5}), "task": TaskSelect}
        error_messages = {
            "slug": {
                "unique": _("Another project has this short name already; choose another."),
                "invalid": _(
                    "A short name has letters of English, digits, hyphens and underscores, nothing else."
                ),
            }
        }
        help_texts = {
            "task": _("Fixed once the project is made."),
            "guidelines": _("What annotators open beside the text with the key “g”, in Markdown."),
        }

    field_order = ["name", "slug", "task", "labels", "span_labels", "guidelines"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django reads a model's choices once, when this class is made: the names would be of one language.
        task = self.fields["task"]
        assert isinstance(task, forms.ChoiceField)
        task.choices = task_types.choices()

    def clean_labels(self) -> list[tuple[str, str]]:
        labels = checked_labels(self.cleaned_data["labels"])
        task_type = TASK_TYPES.get(self.cleaned_data.get("task", ""))
        if task_type and not task_type.has_kinds and len(labels) < task_type.task.least_labels:
            raise forms.ValidationError(str(task_type.too_few_labels))
        return labels

    def clean_span_labels(self) -> list[tuple[str, str]]:
        labels = checked_labels(self.cleaned_data["span_labels"])
        task_type = TASK_TYPES.get(self.cleaned_data.get("task", ""))
        if task_type and task_type.has_kinds != bool(labels):
            raise forms.ValidationError(
                str(task_type.too_few_labels)
                if task_type.has_kinds
                else gettext("Labels of this task are of one kind; write all of them above.")
            )
        names = {name for name, _description in self.cleaned_data.get("labels", ())}
        if both := next((name for name, _description in labels if name in names), None):
            raise forms.ValidationError(
                gettext("“%(name)s” cannot be a label of documents and of pieces of their texts.")
                % {"name": both}
            )
        return labels


class LabelsForm(forms.Form):
    labels = forms.CharField(
        label=_("New labels"), widget=forms.Textarea(attrs={"rows": 4}), help_text=LABELS_HELP
    )

    def clean_labels(self) -> list[tuple[str, str]]:
        return checked_labels(self.cleaned_data["labels"])


class NewLabelsForm(LabelsForm):
    """Further labels of a project; of one with labels of both kinds, it asks which they are."""

    of_spans = forms.BooleanField(label=_("They are labels of pieces of the text"), required=False)

    def __init__(self, *args: Any, project: Project, **options: Any) -> None:
        super().__init__(*args, **options)
        if not project.task_type.has_kinds:
            del self.fields["of_spans"]


class ListPeopleForm(forms.Form):
    """Who labels a list from now on."""

    people = forms.TypedMultipleChoiceField(
        label=_("Who labels it"), coerce=int, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any, *, people: list[tuple[int, str]], now: list[int]) -> None:
        super().__init__(data, initial={"people": now}, label_suffix="")
        field = self.fields["people"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = people


class SplitForm(LabelsForm):
    """The labels that take the place of another, and who labels its documents again."""

    people = forms.TypedMultipleChoiceField(
        label=_("Who labels its documents again"), coerce=int, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any, *, people: list[tuple[int, str]], by: int) -> None:
        super().__init__(data, auto_id="split_%s", initial={"people": [by]}, label_suffix="")
        field = self.fields["people"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = people


class LabelForm(forms.Form):
    """One row of the labels table; its prefix is the label's primary key."""

    name = NameField(label=_("Name"), max_length=LONGEST_NAME)
    hotkey = forms.CharField(label=_("Key"), max_length=1, required=False, strip=False)
    description = forms.CharField(label=_("Description"), required=False)


class DictionaryForm(forms.Form):
    """Words, a bar or a tab, and the name of a label, in each line; `cleaned_data` has labels by words."""

    entries = forms.CharField(
        label=_("Entries"),
        help_text=_(
            "One a line: the words, a bar or a tab, and the label, as in “New York | place”. Case counts."
        ),
        max_length=dictionary.MOST_ENTRIES * (dictionary.LONGEST + LONGEST_NAME),
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
                sentence = gettext(
                    "Line %(n)s: “%(words)s” has another label further up. Keep one of the lines."
                )
                raise forms.ValidationError(sentence % {"n": number, "words": words})
        if len(found) > dictionary.MOST_ENTRIES:
            sentence = gettext("A dictionary takes at most %(most)s entries; these are %(n)s.")
            raise forms.ValidationError(
                sentence % {"most": f"{dictionary.MOST_ENTRIES:,}", "n": f"{len(found):,}"}
            )
        return found

    def _read(self, line: str, number: int) -> tuple[str, int]:
        before, mark, after = line.rpartition("\t" if "\t" in line else "|")
        words, name = before.strip(), label_names.tidy(after)
        if not mark or not words:
            sentence = gettext(
                "Line %(n)s: write the words, then a bar and the label, as in “New York | place”."
            )
            raise forms.ValidationError(sentence % {"n": number})
        if len(words) > dictionary.LONGEST:
            sentence = gettext("Line %(n)s: an entry has at most %(most)s characters.")
            raise forms.ValidationError(sentence % {"n": number, "most": dictionary.LONGEST})
        if name not in self.labels:
            sentence = gettext("Line %(n)s: “%(name)s” is no label of this project.")
            raise forms.ValidationError(sentence % {"n": number, "name": name})
        return words, self.labels[name]


class MemberForm(forms.Form):
    username = forms.CharField(label=_("User name"), max_length=150)
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.ANNOTATOR)


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Everything that a lead sets, in groups by meaning; each names the words that the glossary explains."""

    name = NameField(label=_("Name"), max_length=LONGEST_NAME)

    GROUPS = (
        (_("Project"), ("name", "guidelines"), ()),
        (
            _("Labelling"),
            (
                "annotators_per_document",
                "suggestions",
                "reading_speed",
                "why_chosen",
                "group_labels",
                "colour_labels",
                "card_metadata",
                "marks_characters",
                "lease_seconds",
            ),
            ("place", "card", "suggestion", "lease"),
        ),
        (_("Holdout"), ("holdout_share", "holdout_queue_share"), ("holdout", "lane", "half")),
        (
            _("What comes next"),
            ("strategy", "batch_size", "novel_share", "random_share"),
            ("query-strategy", "batch", "pool"),
        ),
        (
            _("Training"),
            (
                "training_enabled",
                "families",
                "retrain_after",
                "retrain_idle_seconds",
                "publish_automatically",
                "publish_recommended",
            ),
            ("family", "run", "version", "report-card"),
        ),
        (_("Thresholds"), ("objective", "objective_value"), ("threshold",)),
        (_("LLM"), ("llm_budget",), ("suggestion",)),
    )

    class Meta:
        model = Project
        fields = [
            "name",
            "guidelines",
            "annotators_per_document",
            "suggestions",
            "why_chosen",
            "reading_speed",
            "group_labels",
            "colour_labels",
            "card_metadata",
            "marks_characters",
            "lease_seconds",
            "holdout_share",
            "holdout_queue_share",
            "strategy",
            "batch_size",
            "novel_share",
            "random_share",
            "training_enabled",
            "families",
            "retrain_after",
            "retrain_idle_seconds",
            "publish_automatically",
            "publish_recommended",
            "objective",
            "objective_value",
            "llm_budget",
        ]
        widgets = {"guidelines": forms.Textarea(attrs={"rows": 8})}
        help_texts = {
            "guidelines": _(
                "In Markdown: “# heading”, “**bold**”, “- list”, “[link](https://…)”; pictures are links. A "
                "change makes a new version; each annotation records the version in force."
            ),
            "annotators_per_document": _(
                "How many people decide on each document, blind to each other. A change holds for documents "
                "that are queued or decided on already, too."
            ),
            "suggestions": _(
                "A suggestion saves time and biases people. Holdout documents never show one. A change holds "
                "from the next card on; after “Never”, an open card hides its own when it is loaded again."
            ),
            "why_chosen": _(
                "A sentence on the card, as “The model wavers between A and B”; labels are named only where "
                "suggestions are shown at once. Who knows that a text measures may answer it with more care "
                "than others, so without that it is called drawn at random, which it is."
            ),
            "group_labels": _(
                "More than ten labels, called like “billing/refund” or “Billing: refund”, stand under "
                "headings where those of a group follow each other."
            ),
            "colour_labels": _(
                "Each label has a stripe in one of eight colours beside its name, and keeps it when labels "
                "are moved."
            ),
            "marks_characters": _(
                "For scripts without blanks between words, where what a browser takes for words does not "
                "suit: keys and the mouse then go by characters."
            ),
            "reading_speed": _(
                "A suggestion appears once its text was in sight for as long as reading it takes at this "
                "speed, for example 400; 0 shows it at once. Answers are never refused for being fast."
            ),
            "lease_seconds": _(
                "After that an unanswered document goes to somebody else. A change holds for open cards as "
                "well, from their next sign of life on."
            ),
            "holdout_share": format_lazy(
                _(
                    "The part of all documents that only measures, 0 to {most}. A change holds for documents "
                    "that are imported from now on, which fill the lane up to it; the others keep theirs."
                ),
                most=MOST_SHARE,
            ),
            "holdout_queue_share": format_lazy(
                _("How much of what annotators get is holdout, 0 to {most}. {again}"),
                most=MOST_SHARE,
                again=CHOSEN_AGAIN,
            ),
            "strategy": format_lazy(
                "{} {}", _("How the next documents are chosen from the pool."), CHOSEN_AGAIN
            ),
            "batch_size": format_lazy("{} {}", _("How many documents are chosen at a time."), CHOSEN_AGAIN),
            "novel_share": format_lazy(
                "{} {}",
                _(
                    "The part of each batch that is least like what has a label, where texts lie close "
                    "together: it finds what a model cannot know."
                ),
                CHOSEN_AGAIN,
            ),
            "random_share": format_lazy(
                "{} {}",
                _(
                    "The part of each batch drawn at random. It tells what choosing has saved; a larger one "
                    "costs labels."
                ),
                CHOSEN_AGAIN,
            ),
            "training_enabled": _("Without it, models learn only when you press “Train now”."),
            "families": _(
                "These learn by themselves. Any other family learns when a lead starts it on the runs page."
            ),
            "retrain_after": _("A run starts once this many new labels came in since the last one."),
            "retrain_idle_seconds": _(
                "Or once there is any new label, of many labels 2 % new ones, and nobody has labelled for "
                "this long."
            ),
            "publish_automatically": _("Compared on the same holdout documents; otherwise you publish."),
            "publish_recommended": format_lazy(
                _(
                    "Instead, the report card decides which model is published; a newer version of its kind "
                    "follows it if it is not worse. It waits for {enough} labelled documents of the "
                    "holdout's reporting half."
                ),
                enough=reportcards.ENOUGH,
            ),
            "objective": _(
                "What the threshold of each label is chosen for. Versions that are there keep theirs; after "
                "a change, the families that train by themselves learn at once, and get new ones."
            ),
            "llm_budget": _(
                "Until a model is published, an LLM suggests labels for what comes next; 0: none is asked. "
                "Its endpoint is set by the administrator. Texts of the pool and answers leave this site."
            ),
            "objective_value": _("Beta for F-beta, or the wanted precision from 0 to 1."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["strategy"] = forms.ChoiceField(
            label=self.fields["strategy"].label,
            help_text=self.fields["strategy"].help_text,
            required=False,
            choices=strategy_choices(self.instance.task_type.task),
        )
        task = self.instance.task
        self.fields["families"] = forms.MultipleChoiceField(
            label=self.fields["families"].label,
            help_text=format_lazy("{} {}", self.fields["families"].help_text, slow_families_help(task)),
            choices=family_choices(task),
            widget=forms.CheckboxSelectMultiple,
        )
        self.initial["families"] = schedule.families(self.instance)
        chosen = self.instance.card_metadata
        keys = list(dict.fromkeys([*chosen, *columns.metadata_keys(self.instance)]))
        self.fields["card_metadata"] = forms.MultipleChoiceField(
            label=self.fields["card_metadata"].label,
            help_text=format_lazy(
                _(
                    "What annotators see beside the text, at most {most} keys; a long value is cut. Whoever "
                    "knows more than the text may answer what it does not say, and models read it alone."
                ),
                most=MOST_CARD_METADATA,
            ),
            choices=[(key, key) for key in keys],
            required=False,
            widget=forms.CheckboxSelectMultiple,
        )
        if not keys:
            del self.fields["card_metadata"]
        for name in self._without():
            self.fields.pop(name, None)

    def _without(self) -> Iterator[str]:
        """Yield the settings that mean nothing in a project of this task."""
        task_type = self.instance.task_type
        if not task_type.task.has_thresholds:
            yield from schedule.TUNED_BY
        if task_type.marks_text:
            # An LLM is asked for whole texts, and spans have colours always.
            yield from (
                "llm_budget",
                "colour_labels",
            )
        else:
            yield "marks_characters"

    def groups(self) -> list[tuple[Any, list[forms.BoundField], tuple[str, ...]]]:
        """Return the groups with the fields that this project has; one without any is left out."""
        shown = [
            (title, [self[name] for name in names if name in self.fields], words)
            for title, names, words in self.GROUPS
        ]
        return [group for group in shown if group[1]]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("objective") == "fbeta" and not 0 < values.get("objective_value", 0) <= MOST_BETA:
            told = gettext("Beta is more than 0 and at most %(most)s.") % {"most": MOST_BETA}
            self.add_error("objective_value", told)
        if values.get("objective") == "precision" and not 0 < values.get("objective_value", 0) <= 1:
            self.add_error("objective_value", _("A wanted precision lies between 0 and 1."))
        return values


def strategy_choices(task: Task) -> list[tuple[str, Any]]:
    """Return the strategies of the registry that suit the task; an empty key leaves it to the default."""
    fitting = [(key, gettext(entry.title)) for key, entry in STRATEGIES.items() if entry.suits(task)]
    return [("", _("The default of the task")), *fitting]


def slow_families_help(task: str) -> Any:
    """Return the sentence that says which families of a task keep people waiting."""
    fitting = (family for family in families_in_order() if family.suits(TASK_TYPES[task].task))
    titles = ", ".join(gettext(family.title) for family in fitting if family.is_slow)
    return _("These take minutes or longer: %(families)s.") % {"families": titles} if titles else ""


def family_choices(task: str) -> list[tuple[str, str]]:
    return [(key, gettext(FAMILIES[key].title)) for key in schedule.able_families(task)]
