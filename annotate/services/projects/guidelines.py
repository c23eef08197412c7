"""The versions of a project's guidelines: kept, listed and compared."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import GuidelinesVersion, Project, User
from annotate.services.projects.refused import Refused

MOST_LISTED = 200
MOST_LINES = 3000  # of both texts together: to compare more may take seconds


def keep(*, project: Project, by: User | None) -> GuidelinesVersion:
    """Keep the guidelines in force as a version of their own, in the transaction that sets them."""
    version, _is_new = GuidelinesVersion.objects.get_or_create(
        project=project,
        number=project.guidelines_version,
        defaults={"text": project.guidelines, "by": by, "created_at": timezone.now()},
    )
    return version


def listed(project: Project) -> list[GuidelinesVersion]:
    """Return the newest versions, without their texts."""
    return list(project.guidelines_versions.defer("text").select_related("by")[:MOST_LISTED])


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of two texts: `mark` is "+" where it is new, "-" where it is gone, else a space."""

    mark: str
    text: str


def difference(old: GuidelinesVersion, new: GuidelinesVersion) -> list[DiffLine]:
    """Compare two versions line by line. Raises `Refused` for texts of too many lines."""
    before, after = old.text.splitlines(), new.text.splitlines()
    if len(before) + len(after) > MOST_LINES:
        raise Refused(
            _("These versions have more than %(n)s lines together, too many to compare on a page.")
            % {"n": MOST_LINES}
        )
    return list(_lines(before, after))


def _lines(before: list[str], after: list[str]) -> Iterator[DiffLine]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            yield from (DiffLine(" ", line) for line in before[start:end])
        else:
            yield from (DiffLine("-", line) for line in before[start:end])
            yield from (DiffLine("+", line) for line in after[new_start:new_end])
