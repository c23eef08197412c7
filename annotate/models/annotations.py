from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.fields.json import KeyTransform
from django.utils.translation import gettext_lazy as _

from annotate.models.documents import Document
from annotate.models.projects import Label, Project
from annotate.models.versions import ModelVersion
from training.types import Answer, Span


class AnswerField(models.JSONField):
    """An `Answer` in a column of JSON; its labels are ids of `Label`, but where a model says otherwise."""

    description = "Answer"

    def deconstruct(self) -> Any:
        """Be plain JSON to migrations, so that they do not depend on this class."""
        name, _path, args, kwargs = super().deconstruct()
        if kwargs.get("default") is Answer:
            kwargs["default"] = dict  # from which an empty answer is read as well
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        found = super().from_db_value(value, expression, connection)
        # A lookup into the JSON, as `answer__labels`, gives a part of it.
        return found if found is None or isinstance(expression, KeyTransform) else Answer.load(found)

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return prepared.dump() if isinstance(prepared, Answer) else prepared

    def to_python(self, value: Any) -> Any:
        return Answer.load(value) if isinstance(value, dict) else value

    def value_to_string(self, obj: models.Model) -> Any:
        """Return what `dumpdata` writes and `to_python` reads."""
        return self.get_prep_value(self.value_from_object(obj))


class Outcome(models.TextChoices):
    ANSWERED = "answered", _("Answered")
    SKIPPED = "skipped", _("Skipped")
    FLAGGED = "flagged", _("Flagged")
    WITHDRAWN = "withdrawn", _("Withdrawn")


# What somebody may decide; an answer is withdrawn by a lead, and counts as none from then on.
DECIDABLE = [Outcome.ANSWERED, Outcome.SKIPPED, Outcome.FLAGGED]


class Source(models.TextChoices):
    WEB = "web", _("Labelling page")
    IMPORT = "import", _("Import")
    API = "api", _("API")
    BULK = "bulk", _("Bulk change")
    FEEDBACK = "feedback", _("Feedback")


class KeptAnswers:
    """What annotations say, by their keys; one without labels and spans has an empty answer."""

    def __init__(self) -> None:
        self.labels: dict[int, list[int]] = defaultdict(list)
        self.spans: dict[int, list[Span]] = defaultdict(list)

    def __getitem__(self, annotation: int) -> Answer:
        return Answer(tuple(self.labels.get(annotation, ())), tuple(self.spans.get(annotation, ())))


class AnnotationQuerySet(models.QuerySet["Annotation"]):
    def answered(self) -> AnnotationQuerySet:
        return self.filter(outcome=Outcome.ANSWERED)

    def late_doubles(self) -> AnnotationQuerySet:
        """Return late answers to documents that have more answers of people than their project wants."""
        others = Annotation.objects.answered().filter(
            document=models.OuterRef("document"), annotator__is_machine=False
        )
        count = others.order_by().values("document").annotate(n=models.Count("pk")).values("n")
        return self.answered().filter(
            is_late=True, project__annotators_per_document__lt=models.Subquery(count)
        )

    def answers(self, *rows: str) -> KeptAnswers:
        """Return what each annotation says, by its key; labels and spans are in a fixed order.

        `rows` are those that are read, "choices" or "spans", where answers are known to have no others.
        """
        kept, keys = KeptAnswers(), self.values("pk")
        if "choices" in rows or not rows:
            chosen = AnnotationLabel.objects.filter(annotation__in=keys).order_by("label")
            for annotation, label in chosen.values_list("annotation_id", "label_id"):
                kept.labels[annotation].append(label)
        if "spans" in rows or not rows:
            marked = AnnotationSpan.objects.filter(annotation__in=keys).order_by("start", "end", "label")
            for annotation, *place in marked.values_list("annotation_id", "start", "end", "label_id"):
                kept.spans[annotation].append(Span(*place))
        return kept

    def with_label(self, label: int) -> AnnotationQuerySet:
        """Return those that give a text, or a piece of it, a label."""
        chosen = AnnotationLabel.objects.filter(label=label).values("annotation")
        marked = AnnotationSpan.objects.filter(label=label).values("annotation")
        return self.filter(pk__in=chosen.union(marked))


class Annotation(models.Model):
    """One person's decision on one document, as it stands now; `decisions` holds every one before it.

    An answered annotation without labels is a real answer of a multi-label project: none of them applies.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="annotations")
    document = models.ForeignKey(Document, models.PROTECT, related_name="annotations")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="annotations")
    outcome = models.CharField(max_length=10, choices=Outcome)
    labels: models.ManyToManyField[Label, AnnotationLabel] = models.ManyToManyField(
        Label, through="AnnotationLabel", related_name="annotations"
    )
    reason = models.TextField(blank=True)
    seconds = models.FloatField(null=True)
    source = models.CharField(max_length=10, choices=Source, default=Source.WEB)
    is_gold = models.BooleanField(default=False)
    is_late = models.BooleanField(
        default=False,
        help_text=_("It came when every place of the document was somebody else's, as after an outage."),
    )
    guidelines_version = models.PositiveIntegerField(default=1)
    shown_version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, related_name="+")
    shown = AnswerField(null=True, help_text=_("The suggestion as it was shown; null where none was."))
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "annotator"], name="annotation_once_per_annotator"),
            models.UniqueConstraint(
                fields=["document"], condition=models.Q(is_gold=True), name="annotation_one_gold_per_document"
            ),
        ]
        indexes = [
            models.Index(fields=["project", "annotator", "-updated_at"], name="annotation_history"),
            models.Index(fields=["project"], condition=models.Q(is_late=True), name="annotation_late"),
            models.Index(fields=["project", "updated_at", "document"], name="annotation_last_decision"),
        ]

    def __str__(self) -> str:
        return f"{self.document_id} by {self.annotator_id}"

    @property
    def answer(self) -> Answer:
        """What it says; whoever reads many fetches `choices` and `spans` beforehand."""
        labels = sorted(choice.label_id for choice in self.choices.all())
        marked = sorted((span.start, span.end, span.label_id) for span in self.spans.all())
        return Answer(tuple(labels), tuple(Span(*place) for place in marked))

    def say(self, answer: Answer, *, is_new: bool = False) -> None:
        """Store what it says in place of what it said; one that `is_new` has said nothing before.

        Rows come in the order of the labels' keys, as a lead who renames labels locks them: the commit refers
        to each in turn.
        """
        labels = sorted(map(int, answer.labels))
        if not is_new:
            self.choices.exclude(label__in=labels).delete()
            self.spans.all().delete()
        choices = [AnnotationLabel(annotation=self, label_id=label) for label in labels]
        AnnotationLabel.objects.bulk_create(choices, ignore_conflicts=not is_new)
        AnnotationSpan.objects.bulk_create(AnnotationSpan.rows(self, answer))


class AnnotationLabel(models.Model):
    annotation = models.ForeignKey(Annotation, models.CASCADE, related_name="choices")
    label = models.ForeignKey(Label, models.PROTECT, related_name="choices")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["annotation", "label"], name="choice_once_per_label")]

    def __str__(self) -> str:
        return f"{self.label_id} on {self.annotation_id}"

    @property
    def said(self) -> int:
        """Its part of an answer."""
        return self.label_id


class AnnotationSpan(models.Model):
    """A piece of a document's text with a label: [start, end) in Unicode code points."""

    annotation = models.ForeignKey(Annotation, models.CASCADE, related_name="spans")
    label = models.ForeignKey(Label, models.PROTECT, related_name="spans")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["annotation", "label", "start", "end"], name="span_once_per_annotation"
            ),
            models.CheckConstraint(
                condition=models.Q(start__gte=0, end__gt=models.F("start")), name="span_is_not_empty"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label_id} at {self.start}-{self.end} on {self.annotation_id}"

    @property
    def said(self) -> Span:
        """Its part of an answer."""
        return Span(self.start, self.end, self.label_id)

    @classmethod
    def rows(cls, annotation: Annotation, answer: Answer) -> list[AnnotationSpan]:
        """Return the rows of an answer's spans, in the order of the labels' keys, as locks are taken."""
        marked = sorted({(int(span.label), span.start, span.end) for span in answer.spans})
        return [
            cls(annotation=annotation, label_id=label, start=start, end=end) for label, start, end in marked
        ]


class SentDecision(models.Model):
    """What somebody sent for a card. The answer of one that is skipped or flagged is empty."""

    card = models.UUIDField(unique=True)
    outcome = models.CharField(max_length=10, choices=Outcome)
    answer = AnswerField()
    reason = models.TextField(blank=True)
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class Decision(SentDecision):
    """One decision that was kept, never changed or deleted. Sending its card again changes nothing."""

    annotation = models.ForeignKey(Annotation, models.CASCADE, related_name="decisions")

    def __str__(self) -> str:
        return f"{self.outcome} {self.card}"
