from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.accounts import User
from annotate.models.annotations import Annotation, AnswerField, Outcome, SentDecision
from annotate.models.documents import Document, Lane
from annotate.models.projects import Project
from annotate.models.versions import ModelVersion


class Batch(models.Model):
    """One choice of documents by one strategy; `version` is the model whose scores it was chosen by."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="batches")
    strategy = models.CharField(max_length=40)
    version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, related_name="batches")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.strategy} {self.pk}"


class WorkList(models.Model):
    """Documents that a lead has put together for named people to label, apart from the queue.

    Its places are `LISTED` until somebody has them; those of a closed list are gone or wait in the queue.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="work_lists")
    name = models.CharField(max_length=100)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    people = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="work_lists")
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class AssignmentState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    LISTED = "listed", _("Waiting in a list")
    LEASED = "leased", _("With an annotator")
    DONE = "done", _("Done")


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    # The state of a place that goes back to where others get it: its list, or the queue.
    WAITS = models.Case(
        models.When(work_list=None, then=models.Value(AssignmentState.WAITING.value)),
        default=models.Value(AssignmentState.LISTED.value),
    )

    def waiting(self) -> AssignmentQuerySet:
        return self.filter(state=AssignmentState.WAITING)

    def leased(self) -> AssignmentQuerySet:
        return self.filter(state=AssignmentState.LEASED)

    def of_queue(self) -> AssignmentQuerySet:
        """Return places of the pool that are of no list: what a lead lists was neither chosen nor drawn."""
        return self.filter(document__lane=Lane.POOL, work_list=None)

    def answered_draws(self) -> AssignmentQuerySet:
        """Return the documents that were drawn at random and have an answer, once each."""
        drawn = self.of_queue().filter(is_random=True, state=AssignmentState.DONE)
        answered = drawn.filter(document__annotations__outcome=Outcome.ANSWERED)
        return answered.values("document").distinct()  # type: ignore[return-value]

    def open_to(self, annotator: User) -> AssignmentQuerySet:
        """Leave out documents that `annotator` has a place at, or has decided on, already."""
        places = Assignment.objects.filter(document=models.OuterRef("document"), annotator=annotator)
        decisions = Annotation.objects.filter(document=models.OuterRef("document"), annotator=annotator)
        return self.filter(~models.Exists(places), ~models.Exists(decisions))


class Assignment(models.Model):
    """A place in the queue for one annotator's decision on one document.

    A document has as many places (`slot` 0, 1, …) as the project wants annotators for it. `card` is the key
    of the card that shows it now: a decision sent twice carries the same one. A place that a page only holds
    ahead, behind the card on the screen, `is_ahead`. A place of a list is for the people of that list alone.
    The document of one that `is_random` was drawn from all of the pool that had no label then, that of one
    that `is_novel` was unlike all that had a label.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="assignments")
    document = models.ForeignKey(Document, models.CASCADE, related_name="assignments")
    batch = models.ForeignKey(Batch, models.SET_NULL, null=True, related_name="assignments")
    work_list = models.ForeignKey(WorkList, models.CASCADE, null=True, related_name="places", db_index=False)
    slot = models.PositiveSmallIntegerField(default=0)
    rank = models.FloatField()
    state = models.CharField(max_length=10, choices=AssignmentState, default=AssignmentState.WAITING)
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="assignments"
    )
    expires_at = models.DateTimeField(null=True)
    card = models.UUIDField(null=True, unique=True)
    is_ahead = models.BooleanField(default=False, db_default=False)
    is_random = models.BooleanField(default=False, db_default=False)
    is_novel = models.BooleanField(default=False, db_default=False)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "slot"], name="assignment_once_per_slot"),
            models.UniqueConstraint(
                fields=["document", "annotator"],
                condition=models.Q(annotator__isnull=False),
                name="assignment_once_per_annotator",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "state", "rank"], name="assignment_queue_order"),
            models.Index(
                fields=["work_list", "state", "rank"],
                condition=models.Q(work_list__isnull=False),
                name="assignment_list_order",
            ),
            models.Index(
                fields=["project"], condition=models.Q(is_random=True), name="assignment_drawn_at_random"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document_id}/{self.slot} {self.state}"


class HandedOnAnswer(SentDecision):
    """A decision of somebody who may no longer label here, on a card from when they did; a lead settles it.

    Its outcome and answer are as they were sent; whether they can be kept is looked at when a lead accepts.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="handed_on")
    document = models.ForeignKey(Document, models.CASCADE, related_name="+")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    is_accepted = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.outcome} {self.card}"


class Card(models.Model):
    """One document as it was shown to one annotator; an answer names its card by `key`.

    It outlives the lease, so that a late answer is kept, and holds the suggestion that was shown.
    """

    key = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(Document, models.CASCADE, related_name="+")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    shown_version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, related_name="+")
    shown = AnswerField(null=True, help_text=_("The suggestion as it was shown; null where none was."))
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.key)
