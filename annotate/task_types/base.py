"""What every task answers for the site; a task's own file says where it differs."""

from __future__ import annotations

from abc import ABC
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.task_types import label_names
from training.types import Answer, Json, Task


class TaskType(ABC):
    """The site's half of a task. Labels are ids of the project's labels, or names where that is said."""

    task: ClassVar[Task]
    name: ClassVar[str | Promise]
    """What people read."""
    too_few_labels: ClassVar[str | Promise]
    """The sentence for a project with fewer labels than `task.least_labels`."""
    toggles: ClassVar[bool]
    """Whether a label's button or key switches it on or off, and a button of its own sends what is on.

    Otherwise a label sends the decision at once.
    """
    figure: ClassVar[str | Promise] = gettext_lazy("macro-F1")
    figure_term: ClassVar[str] = "macro-f1"
    """What versions are judged by: its name, and its word in the glossary."""
    few: ClassVar[str | Promise] = gettext_lazy("few documents")
    """What is told in place of a label's figure that rests on too little."""
    marks_text: ClassVar[bool] = False
    """Whether labels belong to pieces of the text, which people mark, and not to the whole."""
    has_kinds: ClassVar[bool] = False
    """Whether some labels belong to pieces of the text and others to the whole (see `Label.of_spans`)."""
    text_part: ClassVar[str] = "labeling/_text.html"
    choices_part: ClassVar[str] = "labeling/_choices.html"
    suggestion_part: ClassVar[str] = "labeling/_suggestion.html"
    keys_part: ClassVar[str] = "labeling/_keys.html"
    """The templates of what the card shows: the text, the choices, a suggestion, help on the keys."""
    figures_part: ClassVar[str] = "versions/_document_figures.html"
    """The template of a version's figures beside the one that it is judged by."""
    answer_part: ClassVar[str] = "documents/_label_answer.html"
    """The template of the choices with which a lead answers on a document's page."""
    separators: ClassVar[tuple[str, ...]] = ()
    """What may stand between labels in a cell of a file, the likeliest first; empty: a cell is one label."""

    @property
    def may_be_empty(self) -> bool:
        """Whether "none of the labels applies" is an answer."""
        return not self.task.fault(Answer())

    @property
    def card(self) -> str:
        """What a label's button does on the card, as scripts and styles know it."""
        if self.marks_text:
            return "spans"
        return "toggle" if self.toggles else "submit"

    @property
    def answer_rows(self) -> tuple[str, ...]:
        """The rows of an annotation that its labels stand in."""
        if self.has_kinds:
            return ("choices", "spans")
        return ("spans",) if self.marks_text else ("choices",)

    @property
    def overlaps(self) -> bool:
        """Whether pieces of the text with labels may share letters."""
        return False

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of a file that say what was answered."""
        return ("spans",) if self.marks_text else ("labels",)

    def in_columns(self, answer: Answer) -> dict[str, Json]:
        """Return an answer, in names, by its columns as JSON has them."""
        return {name: self.write(answer) for name in self.answer_columns}

    def cells(self, answer: Answer) -> dict[str, str]:
        """Return an answer, in names, by its columns as a table has them."""
        return {name: self.write_cell(answer) for name in self.answer_columns}

    def parsed(self, written: Json) -> Answer:
        """Return the answer that `write` wrote."""
        return Answer(tuple(written or ()))

    @property
    def shows_thresholds(self) -> bool:
        """Whether the figures of a version have a column of thresholds."""
        return self.task.has_thresholds

    def fault(self, answer: Answer) -> str:
        """Return why a document of the project cannot have this answer, for the person who gave it."""
        return self.task.fault(answer)

    def text_fault(self, answer: Answer, text: str) -> str:
        """Return why an answer cannot be one to this very text, for the person who gave it."""
        return ""

    def kind_fault(self, answer: Answer, of_spans: Collection[str | int]) -> str:
        """Return why a label is given to what it is not of; `of_spans` are the labels of pieces."""
        return ""

    def read_form(self, sent: QueryDict) -> Answer:
        """Return the answer of a card's form; `ValueError` where a label is no number."""
        return Answer(tuple(dict.fromkeys(int(text) for text in sent.getlist("labels"))))

    def form_fault(self, sent: QueryDict, answer: Answer) -> str:
        """Return why the answer that was read from a card's form cannot be meant, for who sent it.

        An empty answer is never what is left over: somebody pressed the button that says it.
        """
        is_none = sent.get("none") == "1"
        if is_none and answer.labels:
            return _("Labels were chosen, and “None applies” was pressed. Choose one or the other.")
        if self.may_be_empty and not is_none and not answer.labels:
            return _("Nothing was chosen, so nothing was kept. Choose a label, or press “None applies”.")
        return ""

    def suggested(self, shown: Answer, offered: Collection[int]) -> Sequence[tuple[int, float | None]]:
        """Return the labels that a card suggests, the best first, each with its score where one is known."""
        scores = dict(shown.scores)
        rank = {label: place for place, label in enumerate(scores)}
        chosen = sorted(shown.labels, key=lambda label: rank.get(label, len(rank)))
        return [(int(label), scores.get(label)) for label in chosen if label in offered]

    def proposal(self, shown: Answer, offered: Collection[int]) -> Answer:
        """Return the answer of somebody who takes what a card suggests."""
        return Answer(tuple(label for label, _score in self.suggested(shown, offered)))

    def likeliest(self, shown: Answer, offered: Collection[int]) -> Sequence[tuple[int, float | None]]:
        """Return what a card suggests, and after it the other labels that have a score, the best first."""
        first = list(self.suggested(shown, offered))
        told = {label for label, _score in first}
        rest = ((int(label), score) for label, score in shown.scores)
        return first + [(label, score) for label, score in rest if label in offered and label not in told]

    def read_cell(self, value: Any, separator: str) -> Answer:
        """Return the answer, in names as they are spelled, that a cell of a file gives; empty if it has none.

        A cell is a list, or a text that spells one in JSON, or names with a separator between them. Raises
        `ValueError`, with a sentence, where a label is an object or a list.
        """
        parts = label_names.spelled(value)
        if parts is None and separator and isinstance(value, str):
            parts = [part.strip(" ") for part in value.split(separator)]  # blanks around it are no spelling
        names = map(label_names.read, [value] if parts is None else parts)
        return Answer(tuple(name for name in names if name))

    def read_columns(self, cells: Mapping[str, Any], separator: str) -> Answer:
        """Return the answer that the columns of our own files give; `ValueError` as `read_cell` does."""
        (name,) = self.answer_columns
        return self.read_cell(cells.get(name), separator)

    def write(self, answer: Answer) -> Json:
        """Return an answer, in names, as JSON has it."""
        return list(answer.labels)

    def write_cell(self, answer: Answer) -> str:
        """Return the cell that `read_cell` reads with any of the separators; labels are names.

        Names with a separator inside, and those that look like a list, are spelled in JSON.
        """
        names = list(map(str, answer.labels))
        if any(mark in name for name in names for mark in self.separators):
            return label_names.spell(names)
        cell = next(iter(self.separators), "").join(names)
        return cell if label_names.spelled(cell) is None else label_names.spell(names)
