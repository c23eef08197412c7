from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.documents import Document
from annotate.models.projects import Project
from annotate.models.queue import WorkList
from annotate.models.work import Work, WorkQuerySet, WorkState

PREVIEWED = "previewed"  # a lead has seen what would change and has yet to say so, so no worker is wanted


class BulkAction(models.TextChoices):
    LABEL = "label", _("Set labels")
    ADD = "add", _("Add a label")
    REMOVE = "remove", _("Remove a label")
    RETURN = "return", _("Return to the queue")
    LIST = "list", _("Make a list for people to label")
    MOVE = "move", _("Move to the other lane")
    DELETE = "delete", _("Delete")
    UNDO = "undo", _("Undo")


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """What a bulk change is to do; `BulkChange.options` stores it. Each action reads its own.

    `labels` are keys. With `gold` answers are the gold ones of their documents. A list has a `name`,
    `people` by their keys, whether `each` of them answers every document, and whether it takes documents that
    somebody has answered already, for a `second` opinion. Who answered with one of its `labels` is asked
    again.
    """

    labels: tuple[int, ...] = ()
    gold: bool = False
    lane: str = ""
    name: str = ""
    people: tuple[int, ...] = ()
    each: bool = False
    second: bool = False

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> Self:
        known = {one.name: content[one.name] for one in fields(cls) if one.name in content}
        return cls(**known | {name: tuple(known.get(name, ())) for name in ("labels", "people")})

    def dump(self) -> dict[str, Any]:
        return asdict(self)


class BulkChange(Work):
    """One change of many documents, previewed by a lead and then done by a worker in chunks.

    `keys` are the documents as the preview found them; of those the first `position` are done. `hits` fitted
    the filter: with a document that changes its lane its near duplicates go as well. `counts` says what
    became of how many, before that what would. An undo is a change of its own that `undoes` another.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="bulk_changes")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    action = models.CharField(max_length=10, choices=BulkAction)
    options = models.JSONField(default=dict)
    packed = models.BinaryField(default=bytes)
    hits = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict)
    work_list = models.ForeignKey(WorkList, models.SET_NULL, null=True, related_name="+")
    undoes = models.OneToOneField("self", models.CASCADE, null=True, related_name="undo")
    state = models.CharField(
        max_length=10,
        choices=[(PREVIEWED, _("Waiting to be confirmed")), *WorkState.choices],
        default=PREVIEWED,
    )

    objects: WorkQuerySet[BulkChange] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"

    @property
    def is_previewed(self) -> bool:
        return self.state == PREVIEWED

    @property
    def wanted(self) -> BulkOptions:
        return BulkOptions.load(self.options)

    @property
    def keys(self) -> list[int]:
        return np.frombuffer(bytes(self.packed), "<i8").tolist()  # type: ignore[no-any-return]

    @staticmethod
    def pack(keys: Sequence[int]) -> bytes:
        return np.array(keys, "<i8").tobytes()


class ItemState(models.TextChoices):
    CHANGED = "changed", _("Changed")
    UNDONE = "undone", _("Undone")
    KEPT = "kept", _("Changed since by people")


class BulkItem(models.Model):
    """What one bulk change did to one document: what was there `before` it and what was there `after` it.

    It holds no text, and stays, as part of the document's history.
    """

    bulk = models.ForeignKey(BulkChange, models.CASCADE, related_name="items", db_index=False)
    document = models.ForeignKey(Document, models.CASCADE, related_name="bulk_items")
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.CHANGED)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bulk", "document"], name="bulk_item_once_per_document")
        ]

    def __str__(self) -> str:
        return f"{self.document_id} in {self.bulk_id}"
