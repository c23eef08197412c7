"""A project's dictionary: words that have a label, and are marked in a text where somebody asks for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import DictionaryEntry, Label, Project, User
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.projects.refused import Refused

MOST_ENTRIES = 5_000  # a page looks for each of them in its text
LONGEST = 200  # characters of one entry


def entries(project: Project) -> dict[str, int]:
    """Return the label of each entry, by its words; those of a label that is archived wait for it."""
    names, became = Label.objects.names_today(project.pk)
    rows = project.dictionary.order_by("words").values_list("words", "label")
    today = ((words, became.get(label, label)) for words, label in rows)
    return {words: label for words, label in today if label in names}


def digest(found: Mapping[str, int]) -> str:
    """Return a mark of what the entries are, to tell whether somebody has changed them meanwhile."""
    return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()


@transaction.atomic
def save(*, project: Project, wanted: Mapping[str, int], seen: str, by: User) -> None:
    """Let the entries be these, whose labels are live; `seen` is the digest of those that `by` was shown.

    Raises `Refused` where somebody has changed them since.
    """
    Project.objects.select_for_update().get(pk=project.pk)
    before = entries(project)
    if seen != digest(before):
        raise Refused(
            _(
                "Somebody has changed the dictionary since you opened this page, so nothing was saved. Your "
                "lines are below; open the page again in another window to see theirs."
            )
        )
    gone = [words for words in before if words not in wanted]
    changed = [words for words, label in wanted.items() if words in before and before[words] != label]
    added = [words for words in wanted if words not in before]
    if not (gone or changed or added):
        return
    DictionaryEntry.objects.filter(project=project, words__in=[*gone, *changed, *added]).delete()
    DictionaryEntry.objects.bulk_create(
        DictionaryEntry(project=project, label_id=wanted[words], words=words) for words in [*changed, *added]
    )
    events.record(
        EventKind.DICTIONARY_CHANGED,
        by=by,
        project=project,
        added=len(added),
        relabelled=len(changed),
        removed=len(gone),
    )
