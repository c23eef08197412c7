"""What one card of the labelling page shows, read for its template."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import Truncator
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from annotate import access, hotkeys
from annotate.models import Annotation, Card, Document, Label, Project, User, WorkList
from annotate.models.annotations import Outcome
from annotate.models.documents import Lane
from annotate.models.projects import Suggestions
from annotate.models.queue import AssignmentState
from annotate.services.documents import comments, history
from annotate.services.labeling import ahead, decisions, queue, why_chosen, work_lists, write_lock
from annotate.services.versions import explanations, guesses
from annotate.task_types import TaskType
from training.types import Answer, Span

ShownLabels = tuple[tuple[int, str, str, str, bool], ...]  # id, name, description, key, of spans
LETTERS_OF_WORD = 6
LONGEST_METADATA = 200  # characters of a key or a value beside the text


class Drawn(NamedTuple):
    """How a project's labels are drawn."""

    are_grouped: bool
    are_coloured: bool


@dataclass(frozen=True)
class Choice:
    label: Label
    key: str
    is_chosen: bool = False


@dataclass(frozen=True)
class Suggested:
    label: Label
    percent: int | None
    key: str = ""


@dataclass
class CardView:
    project: Project
    notice: str = ""
    card: Card | None = None
    document: Document | None = None
    version: int | None = None
    annotation: Annotation | None = None
    chosen: frozenset[int] = field(default_factory=frozenset)
    marked: Sequence[Span] = ()
    labels: Sequence[Label] | None = None
    work_list: WorkList | None = None
    is_commented: bool = False

    @property
    def comments_at(self) -> str:
        """Return where whoever has the card may read what was written about its text, or an empty string."""
        if not self.is_commented or self.card is None or self.document is None:
            return ""
        if access.reviews(self.card.annotator, self.project):
            return reverse("document", args=[self.project.slug, self.document.pk]) + "#comments"
        about = comments.mentions(project=self.project, user=self.card.annotator)
        is_named = about.filter(comment__document=self.document.pk).exists()
        return reverse("my-work", args=[self.project.slug]) if is_named else ""

    @property
    def here(self) -> str:
        """Return the address of the page that shows the card: that of the queue, or of a list."""
        return address(self.project, self.work_list)

    @property
    def back(self) -> str:
        """Return the address of the decision before this one."""
        key = self.annotation.pk if self.annotation else ""
        return f"{self.here}{'&' if self.work_list else '?'}back={key}"

    @property
    def task_type(self) -> TaskType:
        return self.project.task_type

    @property
    def is_suggested_after(self) -> bool:
        return self.project.suggestions == Suggestions.AFTER

    @property
    def seconds_to_read(self) -> float:
        """Return for how long a suggestion waits; 0 where the project wants no waiting."""
        if not self.project.reading_speed or self.document is None:
            return 0.0
        text = self.document.text
        # Not every script has spaces between words.
        words = max(len(text.split()), len(text) / LETTERS_OF_WORD)
        return 60 * words / self.project.reading_speed

    @property
    def enter_accepts(self) -> bool:
        """Tell whether Enter takes the best label: not over an earlier decision, nor before it is shown."""
        return not (self.task_type.toggles or self.is_suggested_after or self.annotation)

    @cached_property
    def choices(self) -> list[Choice]:
        labels = self.project.labels.live() if self.labels is None else self.labels
        labels = sorted(labels, key=lambda label: label.of_spans)  # those of the whole text first
        return [
            Choice(label, key, label.pk in self.chosen)
            for label, key in hotkeys.assign(labels, self.task_type)
        ]

    @property
    def is_described(self) -> bool:
        return any(choice.label.description for choice in self.choices)

    @property
    def buttons(self) -> str:
        """Return the rendered choices. They are kept, as they take most of a card's time."""
        if self.annotation is not None:
            return _buttons(self.choices, self.task_type, self.annotation, self._drawn)
        return _fresh_buttons(self._shown_labels, self.task_type, self._drawn, get_language())

    @property
    def mark(self) -> str:
        """Return a mark of the labels and the keys of metadata that are shown.

        It tells whether a card that waits has the same.
        """
        return _mark(self._shown_labels, self._drawn, tuple(self.project.card_metadata))

    @property
    def are_coloured(self) -> bool:
        return self.project.colour_labels

    @property
    def _drawn(self) -> Drawn:
        return Drawn(are_grouped=self.project.group_labels, are_coloured=self.project.colour_labels)

    @cached_property
    def _shown_labels(self) -> ShownLabels:
        return tuple(
            (x.label.pk, x.label.name, x.label.description, x.key, x.label.of_spans) for x in self.choices
        )

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """Return what the project's lead wants to stand beside the text, as far as this document has it."""
        if self.document is None or not self.project.card_metadata:
            return []
        known = dict(history.metadata(self.document))
        cut = Truncator.chars
        return [
            (cut(Truncator(key), LONGEST_METADATA), cut(Truncator(known[key]), LONGEST_METADATA))
            for key in self.project.card_metadata
            if key in known
        ]

    @property
    def has_suggestion(self) -> bool:
        """Tell whether one may be shown; that no label applies can be one as well."""
        is_wanted = self.project.suggestions != Suggestions.NEVER
        is_pool = self.document is not None and self.document.lane == Lane.POOL
        return is_wanted and is_pool and self.card is not None and self.card.shown is not None

    @cached_property
    def suggestion(self) -> list[Suggested]:
        """Return what the model would answer, best first; nothing where the project wants none shown."""
        if not self.has_suggestion or self.card is None or self.card.shown is None:
            return []
        known = {choice.label.pk: choice.label for choice in self.choices}
        return [
            Suggested(known[pk], _percent(score))
            for pk, score in self.task_type.suggested(self._told(self.card.shown), known)
        ]

    @property
    def text_pieces(self) -> list[str]:
        """Return the text between its carriage returns, which a browser reads as they are only if escaped."""
        return self.document.text.split("\r") if self.document else []

    @property
    def digest(self) -> str:
        """Return the digest of the text, by which spans are known to be of it."""
        return hashlib.sha256(self.document.text.encode()).hexdigest() if self.document else ""

    @property
    def marked_spans(self) -> str:
        """Return the spans of an earlier decision as JSON."""
        return json.dumps([[span.start, span.end, span.label] for span in self.marked])

    @cached_property
    def suggested_spans(self) -> list[tuple[int, int, int, int | None]]:
        """Return what the model would mark, in the order of the text, each with its percent if calibrated."""
        if not self.has_suggestion or self.card is None or self.card.shown is None:
            return []
        known = {choice.label.pk for choice in self.choices}
        told = self._told(self.card.shown)
        scores = dict(zip(told.spans, (score for _label, score in told.span_scores), strict=False))
        return [
            (span.start, span.end, int(span.label), _percent(scores.get(span)))
            for span in sorted(told.spans, key=lambda span: (span.start, span.end))
            if span.label in known
        ]

    @property
    def suggested_json(self) -> str:
        return json.dumps(self.suggested_spans)

    @property
    def likeliest_keys(self) -> list[str]:
        """Return the keys of the likeliest labels: the same on every card; none where labels are few."""
        if len(self.choices) <= hotkeys.FEW or self.task_type.marks_text:
            return []
        return hotkeys.likeliest(choice.key for choice in self.choices)

    @cached_property
    def likeliest(self) -> list[Suggested]:
        """Return the few likeliest of many labels, each with a key of its own; none where labels are few."""
        if len(self.choices) <= hotkeys.FEW or self.task_type.marks_text or not self.has_suggestion:
            return []
        assert self.card is not None
        assert self.card.shown is not None
        known = {choice.label.pk: choice.label for choice in self.choices}
        found = self.task_type.likeliest(self._told(self.card.shown), known)[: hotkeys.LIKELIEST]
        return [
            Suggested(known[pk], _percent(score), key)
            for (pk, score), key in zip(found, [*self.likeliest_keys, *[""] * len(found)], strict=False)
        ]

    def _told(self, shown: Answer) -> Answer:
        version = self.card.shown_version_id if self.card else None
        return shown if version is None else guesses.told(shown, version)

    @property
    def guess(self) -> str:
        """Return what the suggestion is called where the model's scores are no confidences; else ""."""
        version = self.card.shown_version_id if self.card else None
        if version is None or self.card is None or guesses.is_calibrated(version):
            return ""
        return guesses.called(self.card.shown_version) if self.card.shown_version else ""

    @property
    def why_chosen(self) -> str:
        if self.card is None or self.document is None or self.annotation is not None:
            return ""
        return why_chosen.sentence(
            project=self.project, card=self.card, document=self.document, near=self._near
        )

    @property
    def _near(self) -> list[str]:
        """Return the names of the two best labels where their scores are close, and may be told."""
        if not self.has_suggestion or self.project.hides_suggestions_at_first or self.guess:
            return []
        known = {choice.label.pk: choice.label.name for choice in self.choices}
        scores = self.card.shown.label_scores if self.card and self.card.shown else ()
        best = sorted(((score, pk) for pk, score in scores if score is not None), reverse=True)[:2]
        is_close = len(best) == 2 and best[0][0] - best[1][0] < why_chosen.CLOSE
        names = [known[int(pk)] for _score, pk in best if pk in known]
        return names if is_close and len(names) == 2 else []

    @property
    def can_explain(self) -> bool:
        version = self.card.shown_version_id if self.card else None
        return version is not None and explanations.may_explain(version)

    @property
    def explained_labels(self) -> list[int]:
        """Return the labels that are suggested, or the best one where none passes its threshold."""
        suggested = [item.label.pk for item in self.suggestion]
        if suggested or not self.has_suggestion or self.card is None or self.card.shown is None:
            return suggested
        known = {choice.label.pk for choice in self.choices}
        return [key for key, _score in self.card.shown.scores if key in known][:1]


def _percent(score: float | None) -> int | None:
    return None if score is None else round(score * 100)


def address(project: Project, work_list: WorkList | None) -> str:
    return reverse("label", args=[project.slug]) + (f"?list={work_list.pk}" if work_list else "")


def next_card(
    project: Project, annotator: User, *, notice: str = "", work_list: WorkList | None = None
) -> CardView:
    labels, dealt = list(project.labels.live()), None
    if labels:
        with write_lock.in_turn():
            dealt = queue.deal(project=project, annotator=annotator, work_list=work_list)
    return shown(project, annotator, dealt, labels=labels, notice=notice, work_list=work_list)


def shown(
    project: Project,
    annotator: User,
    dealt: queue.Dealt | None,
    *,
    labels: Sequence[Label],
    notice: str = "",
    besides: Collection[uuid.UUID] = (),
    work_list: WorkList | None = None,
) -> CardView:
    """Return the card that was dealt; where there was none, the first of a queue that is filled now."""
    if not labels:
        return CardView(project, _("This project has no labels yet. A lead adds them on its settings page."))
    if dealt is None:
        with write_lock.in_turn():
            dealt = queue.deal_from_filled(
                project=project, annotator=annotator, besides=besides, work_list=work_list
            )
    if dealt is None:
        why = work_lists.why_empty(work_list) if work_list else why_empty(project, annotator)
        return CardView(project, notice or why, work_list=work_list)
    return _dealt(project, dealt, labels, work_list, notice)


def _dealt(
    project: Project,
    dealt: queue.Dealt,
    labels: Sequence[Label],
    work_list: WorkList | None,
    notice: str = "",
) -> CardView:
    return CardView(
        project,
        notice,
        dealt.card,
        dealt.document,
        dealt.version,
        labels=labels,
        work_list=work_list,
        is_commented=dealt.is_commented,
    )


def dealt_cards(
    project: Project,
    annotator: User,
    deck: ahead.Deck,
    held: ahead.Held,
    labels: Sequence[Label],
    work_list: WorkList | None = None,
) -> list[CardView]:
    """Return the cards for a page that holds `held`; one that says why there is none where none is left."""
    has_kept = len(held.ahead) > len(deck.dropped)
    if held.shown and labels and not deck.dealt and not has_kept:
        with write_lock.in_turn():
            deck = ahead.fill_from_filled(
                project=project, annotator=annotator, held=held, work_list=work_list
            )
    if deck.dealt or held.shown or has_kept or held.decided:
        return [_dealt(project, dealt, labels, work_list) for dealt in deck.dealt]
    return [shown(project, annotator, None, labels=labels, besides=held.ahead, work_list=work_list)]


def previous_card(
    project: Project, annotator: User, *, before: Annotation | None, work_list: WorkList | None = None
) -> CardView:
    """Return the decision before `before` (the latest without it); at the beginning, what is shown stays."""
    annotation = decisions.previous(project=project, annotator=annotator, before=before)
    notice = "" if annotation else _("There is no decision of yours before this one.")
    annotation = annotation or before
    if annotation is None:
        return next_card(project, annotator, notice=notice, work_list=work_list)
    return decided_card(project, annotation, notice=notice, work_list=work_list)


def decided_card(
    project: Project, annotation: Annotation, *, notice: str = "", work_list: WorkList | None = None
) -> CardView:
    """Return a decision as it stands, to be changed."""
    card = decisions.reopen(annotation=annotation)
    version = card.shown_version.number if card.shown_version else None
    said = annotation.answer
    return CardView(
        project,
        notice,
        card,
        annotation.document,
        version,
        annotation,
        frozenset(map(int, said.labels)),
        said.spans,
        work_list=work_list,
    )


def why_empty(project: Project, annotator: User) -> str:
    if not project.documents.exists():
        return _("This project has no documents yet. A lead imports them.")
    places = project.assignments.exclude(state=AssignmentState.DONE).exclude(annotator=annotator)
    if places.exists():
        return _("Every open document is with another annotator now. This page looks again by itself.")
    return _("Every document has its decisions. Thank you: nothing is left to label here.")


@lru_cache(maxsize=64)
def _mark(shown: ShownLabels, drawn: Drawn, metadata: tuple[str, ...]) -> str:
    return hashlib.blake2s(json.dumps([shown, drawn, *metadata]).encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=64)
def _fresh_buttons(shown: ShownLabels, task_type: TaskType, drawn: Drawn, language: str | None) -> str:
    choices = [
        Choice(Label(pk=pk, name=name, description=description, of_spans=of_spans), key)
        for pk, name, description, key, of_spans in shown
    ]
    return _buttons(choices, task_type, None, drawn)


def _buttons(choices: Sequence[Any], task_type: TaskType, annotation: Annotation | None, drawn: Drawn) -> str:
    is_answered = annotation is not None and annotation.outcome == Outcome.ANSWERED
    view = {
        "choices": choices,
        "are_many": len(choices) > hotkeys.FEW,
        **drawn._asdict(),
        "task_type": task_type,
        "annotation": annotation,
        "is_none": is_answered and annotation is not None and annotation.answer == Answer(),
    }
    return render_to_string(task_type.choices_part, {"view": view})
