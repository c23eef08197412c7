"""Which lane new documents get, and how an import tells what went where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import Document, Import, Project
from annotate.models.documents import Lane
from training import splits

Place = tuple[str, str]  # a lane and a half


@dataclass(slots=True)
class LaneCounts:
    """Where the new documents of an import went; `Import.lanes` stores it.

    `groups` counts new groups of near duplicates, and `copies` the documents of the largest that stayed in
    the pool as a whole. `joined` documents went to the lane of near duplicates that were there already.
    `moved` ones were known and were moved to the holdout, so that a label has enough there.
    """

    pool: int = 0
    holdout: int = 0
    groups: int = 0
    copies: int = 0
    joined: int = 0
    moved: int = 0

    def add(self, other: Self) -> None:
        """Add what became of another chunk; the largest group is the larger one of both."""
        copies = max(self.copies, other.copies)
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        self.copies = copies

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> Self:
        """Read what an import stores; one of before this was noted has nothing."""
        return cls(**{one.name: int(content.get(one.name, 0)) for one in fields(cls)})

    def dump(self) -> dict[str, int]:
        return asdict(self)


def assign(
    project: Project, created: Sequence[Document], known: Mapping[str, Place], *, share: float
) -> LaneCounts:
    """Give new documents their lanes and halves; `known` has the places of near duplicates by their key.

    A document never changes its lane by this: new ones go where their near duplicates are, and what is left
    of the holdout's `share` is taken from groups that nothing is known of.
    """
    groups = Counter(document.split_key for document in created if document.split_key not in known)
    joined = [known[document.split_key][0] for document in created if document.split_key in known]
    taken: set[str] = set()
    if groups:
        before = Document.objects.filter(project=project)
        taken = splits.hold_out(
            groups,
            share,
            held=before.holdout().count() + joined.count(Lane.HOLDOUT),
            total=before.count() + len(joined),
        )
    halves = splits.halves(taken)
    for document in created:
        key = document.split_key
        new = (Lane.HOLDOUT, halves[key]) if key in taken else (Lane.POOL, "")
        document.lane, document.half = known.get(key, new)
    held = sum(document.lane == Lane.HOLDOUT for document in created)
    stayed = [size for key, size in groups.items() if key not in taken and size > 1]
    return LaneCounts(
        pool=len(created) - held,
        holdout=held,
        groups=len(groups),
        copies=max(stayed, default=0),
        joined=len(joined),
    )


def told(upload: Import) -> list[str]:
    """Return in sentences which lanes the new documents of an import went to, and why."""
    counts = LaneCounts.load(upload.lanes)
    said = []
    if counts.pool or counts.holdout:
        said.append(
            _("Of the new documents, %(pool)s are for the pool and %(holdout)s for the holdout.")
            % {"pool": counts.pool, "holdout": counts.holdout}
        )
    if counts.copies:
        said.append(_of_copies(counts) + _of_nothing_held(upload))
    elif counts.pool and not counts.holdout:
        said.append(_("None was drawn for the holdout.") + _of_nothing_held(upload))
    if counts.joined:
        sentence = ngettext(
            "%(n)s is like a document that was stored before it, and went to its lane.",
            "%(n)s are like documents that were stored before them, and went to their lanes.",
            counts.joined,
        )
        said.append(sentence % {"n": counts.joined})
    if counts.moved:
        sentence = ngettext(
            "%(n)s document was moved to the holdout, so that each label has enough there.",
            "%(n)s documents were moved to the holdout, so that each label has enough there.",
            counts.moved,
        )
        said.append(sentence % {"n": counts.moved})
    return said


def _of_copies(counts: LaneCounts) -> str:
    if counts.groups == 1 and not counts.holdout:
        sentence = _(
            "All %(n)s are copies of one text, but for case, digits and punctuation, so they stay together "
            "in the pool."
        )
        return sentence % {"n": counts.pool}
    sentence = _(
        "%(n)s of them are copies of one text, but for case, digits and punctuation, so they stay together "
        "in the pool."
    )
    return sentence % {"n": counts.copies}


def _of_nothing_held(upload: Import) -> str:
    """Say that a project has nothing to measure on; "" where it has, or wants nothing held out."""
    project = upload.project
    if upload.dry_run or not project.holdout_share or project.documents.holdout().exists():
        return ""
    return " " + _("Nothing can be measured until other texts come.")
