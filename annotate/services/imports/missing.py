"""Labels of a file that the project does not take: their texts are stored, and the labels are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import Import
from annotate.services.imports.labels import LONGEST_NAME, MOST_LABELS, Choice
from annotate.task_types import label_names

MOST_NAMES = 100
OTHERS = ""  # stands for the rows of labels beyond these; no label has this name


@dataclass(frozen=True, slots=True)
class MissingLabel:
    """A label that came with `rows` rows; `why` it cannot be made, or an empty string.

    `like` is the key of a label that differs from it in case or form alone, and `choice` what was said of it.
    """

    name: str
    rows: int
    why: str
    like: int | None = None
    choice: Choice = ""


def note(counts: dict[str, int], names: Iterable[str]) -> None:
    add(counts, dict.fromkeys(names, 1))


def add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, rows in more.items():
        key = name if name in counts or len(counts) < MOST_NAMES else OTHERS
        counts[key] = counts.get(key, 0) + rows


def told(upload: Import) -> list[MissingLabel]:
    """Return the labels that an import left out, the most frequent first, with what stands in their way."""
    if not upload.missing:
        return []
    labels = list(upload.project.labels.all())
    archived = {label.name for label in labels if label.archived_at}
    alike = {label_names.folded(label.name): label.pk for label in labels if not label.archived_at}
    choices: Mapping[str, Choice] = upload.mapping.get("label_choices", {})
    return [
        MissingLabel(
            name,
            rows,
            _why(name, archived, is_full=len(labels) >= MOST_LABELS),
            alike.get(label_names.folded(name)),
            choices.get(name, ""),
        )
        for name, rows in frequent(upload.missing)
    ]


def frequent(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return what was counted, the most frequent first and the others at the end."""
    return sorted(counts.items(), key=lambda item: (item[0] == OTHERS, -item[1], item[0]))


def _why(name: str, archived: set[str], *, is_full: bool) -> str:
    if name in archived:
        return _("It is archived; restore it on the settings page, then import the file again.")
    if len(name) > LONGEST_NAME:
        return _("The name has more than %(most)s characters.") % {"most": LONGEST_NAME}
    if is_full:
        return _("The project has %(most)s labels already; is this the right column?") % {"most": MOST_LABELS}
    return ""


def sentence(label: MissingLabel) -> str:
    said = ngettext(
        "The project does not offer the label “%(name)s”: %(n)s text was stored without a decision.",
        "The project does not offer the label “%(name)s”: %(n)s texts were stored without a decision.",
        label.rows,
    )
    name = label.name or _("and others")
    return " ".join(filter(None, [said % {"name": name, "n": label.rows}, label.why]))
