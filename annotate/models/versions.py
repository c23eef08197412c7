from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from numpy.typing import NDArray

from annotate.models.projects import Label, Project
from annotate.models.runs import RunKind, TrainingRun
from training.bundles.bundle import MANIFEST, BundleError, file_checksum, identity
from training.figures.evidence import FEWEST, FEWEST_OF_A_LABEL, wilson
from training.registry import FAMILIES
from training.types import mean_of_both


class Stage(models.TextChoices):
    CANDIDATE = "candidate", _("Candidate")
    PUBLISHED = "published", _("Published")
    RETIRED = "retired", _("Retired")


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def published(self) -> ModelVersionQuerySet:
        return self.filter(stage=Stage.PUBLISHED)


class ModelVersion(models.Model):
    """A bundle on disk and the figures it was judged by. `bundle` is relative to BUNDLE_ROOT.

    `bundle_digest` is the checksum of its manifest without a card, which holds those of its files; a version
    of an earlier site whose bundle was gone already has none. `label_ids` gives the label of each score
    column; `report` holds the whole evaluation as it was stored; `encoder` is the fingerprint of the encoder
    whose vectors it reads, where it does. Scores of a version that is not `calibrated` only rank labels. One
    that `is_refused` was compared and lost too much; others that do not serve were never tried, or are left
    to a lead. `gain` is by how much it was measured better than the best so far of its kind, where the two
    were compared. One that `revises` another scores as that one does and decides by thresholds that a lead
    has set; programs get no label for a text whose confidence is under `abstain_below`.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="versions")
    run = models.ForeignKey(TrainingRun, models.SET_NULL, null=True, related_name="versions")
    number = models.PositiveIntegerField(_("number"))
    family = models.CharField(_("family"), max_length=40)
    variant = models.CharField(_("variant"), max_length=120, blank=True)
    encoder = models.CharField(max_length=64, blank=True)
    revises = models.ForeignKey("self", models.SET_NULL, null=True, related_name="revisions")
    abstain_below = models.FloatField(default=0.0)
    bundle = models.CharField(max_length=255)
    bundle_digest = models.CharField(max_length=64, blank=True)
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.CANDIDATE)
    verdict = models.TextField(_("why it was published or not"), blank=True)
    is_refused = models.BooleanField(default=False)
    gain = models.FloatField(null=True)
    calibrated = models.BooleanField(default=False)
    label_ids = models.JSONField(default=list)
    labelled = models.PositiveIntegerField(_("labels learned from"))
    holdout_documents = models.PositiveIntegerField(_("holdout documents reported on"))
    macro_f1 = models.FloatField(null=True)
    macro_f1_low = models.FloatField(null=True)
    macro_f1_high = models.FloatField(null=True)
    micro_f1 = models.FloatField(null=True)
    micro_f1_low = models.FloatField(null=True)
    micro_f1_high = models.FloatField(null=True)
    report = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="version_number_once_per_project"),
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(stage="published"),
                name="version_one_published_per_project",
            ),
            models.CheckConstraint(
                condition=models.Q(holdout_documents__gte=FEWEST)
                | models.Q(
                    macro_f1=None,
                    macro_f1_low=None,
                    macro_f1_high=None,
                    micro_f1=None,
                    micro_f1_low=None,
                    micro_f1_high=None,
                ),
                name="version_figures_have_evidence",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} {self.number}"

    @property
    def f1(self) -> float | None:
        """The figure that versions are judged by: micro-F1 of spans, macro-F1 of documents, or their mean."""
        return self._judged(self.macro_f1, self.micro_f1)

    @property
    def other_f1(self) -> float | None:
        """The mean beside it, of the labels or of all decisions together."""
        return self.macro_f1 if self.tags_words else self.micro_f1

    @property
    def f1_low(self) -> float | None:
        return self._judged(self.macro_f1_low, self.micro_f1_low)

    @property
    def f1_high(self) -> float | None:
        return self._judged(self.macro_f1_high, self.micro_f1_high)

    def _judged(self, macro: float | None, micro: float | None) -> float | None:
        """Return one figure of the two. NB: the mean of two ends is an end of the mean if both err alike."""
        if self.project.task_type.has_kinds:
            return mean_of_both(macro, micro)
        return micro if self.tags_words else macro

    @property
    def why_not_measured(self) -> str:
        """Why it has no figures, as part of a sentence; "" where it has."""
        if self.f1 is not None:
            return ""
        if self.holdout_documents >= FEWEST:
            return gettext("no label is on any of its holdout documents")
        return gettext("measured from %(fewest)s holdout documents on; %(documents)s so far") % {
            "fewest": FEWEST,
            "documents": self.holdout_documents,
        }

    @property
    def kind(self) -> RunKind:
        return RunKind.of(self.family)

    @property
    def tags_words(self) -> bool:
        """Whether it finds labelled pieces of a text, by a bundle of a tagger."""
        return self.family in FAMILIES and FAMILIES[self.family].tags_words

    @property
    def bundle_folder(self) -> Path:
        return Path(settings.BUNDLE_ROOT) / self.bundle

    def has_its_own_bundle(self) -> bool:
        """Tell whether the manifest in the bundle's folder is the one that the version was recorded with."""
        # Revisions of an earlier site were recorded with the card of what they revise among their files.
        written = file_checksum(self.bundle_folder / MANIFEST)
        return self.bundle_digest in ("", written) or self.bundle_digest == identity(self.bundle_folder)

    def checked_folder(self) -> Path:
        """Return the bundle's folder for loading; raises `BundleError` where another bundle was put there.

        A bundle's own checksums tell what is damaged; whoever swaps a bundle on purpose brings others along.
        """
        if (self.bundle_folder / MANIFEST).is_file() and not self.has_its_own_bundle():
            raise BundleError(
                gettext(
                    "The bundle at %(folder)s is not the one that version %(n)s was recorded with. Bring "
                    "that one back from a backup, or train again."
                )
                % {"folder": self.bundle_folder, "n": self.number}
            )
        return self.bundle_folder

    def follows(self, other: ModelVersion) -> bool:
        """Tell whether both have one family and variant, so that the newer one replaces the older one."""
        return (self.family, self.variant) == (other.family, other.variant)


class PublicationQuerySet(models.QuerySet["Publication"]):
    def standing(self) -> PublicationQuerySet:
        return self.filter(withdrawn_at=None)


class Publication(models.Model):
    """One time that a version was published; a roll-back withdraws it, and what stood before stands again.

    The publications of a project that are not withdrawn, from the first to the latest, are its history: the
    version of the latest is the published one.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="publications")
    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="publications")
    published_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)

    objects = PublicationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["project", "-id"],
                condition=models.Q(withdrawn_at=None),
                name="publication_history",
            )
        ]

    def __str__(self) -> str:
        return f"{self.version} at {self.published_at}"


class ClassMetric(models.Model):
    """One label's figures on the reporting half; null figures mean "not measurable yet".

    `hits` of its `support` documents were given the label, which `decided` documents were given altogether;
    versions of an earlier site have neither count.
    """

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="class_metrics")
    label = models.ForeignKey(Label, models.CASCADE, related_name="+")
    threshold = models.FloatField()
    support = models.PositiveIntegerField()
    precision = models.FloatField(null=True)
    recall = models.FloatField(null=True)
    f1 = models.FloatField(null=True)
    f1_low = models.FloatField(null=True)
    f1_high = models.FloatField(null=True)
    hits = models.PositiveIntegerField(null=True)
    decided = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "label"], name="metric_once_per_label")]

    def __str__(self) -> str:
        return f"{self.label} in {self.version}"

    @property
    def why_not_measured(self) -> str:
        """Why it has no figures, as part of a sentence; "" where it has."""
        if self.f1 is not None:
            return ""
        return self.version.why_not_measured or gettext("no holdout document has this label")

    @property
    def is_told_as_counts(self) -> bool:
        """Tell whether a share would promise more than its few documents hold."""
        return self.support < FEWEST_OF_A_LABEL

    @property
    def recall_interval(self) -> tuple[float, float] | None:
        return _share_interval(self.recall, self.support)

    @property
    def precision_interval(self) -> tuple[float, float] | None:
        return _share_interval(self.precision, self.decided)


def _share_interval(share: float | None, documents: int | None) -> tuple[float, float] | None:
    if share is None or documents is None:
        return None
    low, high = wilson(share, documents)
    return float(low), float(high)


class PackedArray(models.BinaryField):  # type: ignore[type-arg]
    """A NumPy array of one type and any number of rows, compressed; its reader knows how long a row is."""

    def __init__(self, *args: Any, kind: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.kind = kind

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "kind": self.kind}

    def from_db_value(self, value: Any, *_of: Any) -> NDArray[Any] | None:
        return None if value is None else np.frombuffer(zlib.decompress(value), self.kind)

    def get_prep_value(self, value: Any) -> Any:
        if value is None or isinstance(value, bytes):
            return value
        return zlib.compress(np.ascontiguousarray(value, self.kind).tobytes(), 1)


class Sample(models.TextChoices):
    """Of which texts a version's scores are kept."""

    HOLDOUT = "holdout", _("Holdout")
    POOL = "pool", _("Pool")


class KeptScores(models.Model):
    """What a version says of some documents, with which pages compare and tune it without its bundle.

    `documents` are keys. `scores` (documents, labels) are calibrated and in the order of the version's
    `label_ids`, `raw` ones are from before calibration; None where a version has none of its own, as a
    cascade. The documents were drawn evenly from `population` of them. They go with the version's bundle.
    """

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="kept_scores")
    sample = models.CharField(max_length=10, choices=Sample)
    documents = PackedArray(kind="<i8")
    scores = PackedArray(kind="<f4")
    raw = PackedArray(kind="<f4", null=True)
    thresholds = models.JSONField(default=list)
    population = models.PositiveIntegerField()
    scored_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "sample"], name="scores_kept_once_per_sample")
        ]

    def __str__(self) -> str:
        return f"{self.sample} by {self.version}"


class Shadow(models.Model):
    """What models of documents drawn at random reach, beside models of as many chosen ones.

    Both have `labels` documents, are of the version's family, and were measured on `documents` reporting
    ones. So many chosen documents as are `needed`, between `fewest` and `most`, give what the drawn ones do;
    None is more than the `tried` ones.
    """

    version = models.OneToOneField(ModelVersion, models.CASCADE, related_name="shadow")
    labels = models.PositiveIntegerField()
    documents = models.PositiveIntegerField()
    drawn_f1 = models.FloatField()
    drawn_low = models.FloatField()
    drawn_high = models.FloatField()
    chosen_f1 = models.FloatField()
    chosen_low = models.FloatField()
    chosen_high = models.FloatField()
    needed = models.PositiveIntegerField(null=True)
    fewest = models.PositiveIntegerField(null=True)
    most = models.PositiveIntegerField(null=True)
    tried = models.PositiveIntegerField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"shadow of {self.version}"

    @property
    def drawn(self) -> tuple[float, float]:
        return self.drawn_low, self.drawn_high

    @property
    def chosen(self) -> tuple[float, float]:
        return self.chosen_low, self.chosen_high

    @property
    def saved(self) -> int | None:
        """How many labels choosing has saved at this size, below 0 where it cost some."""
        return None if self.needed is None else self.labels - self.needed

    @property
    def least_saved(self) -> int | None:
        return None if self.most is None else self.labels - self.most

    @property
    def most_saved(self) -> int | None:
        return None if self.fewest is None else self.labels - self.fewest

    @property
    def is_sure(self) -> bool:
        """Whether the interval says that labels were saved, and not only that some may have been."""
        return self.least_saved is not None and self.least_saved > 0


class ReportCard(models.Model):
    """A project's models measured side by side: `content` is the JSON of `training.reportcard.card.Card`.

    Its `versions` give the number of the model version behind each candidate's name.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="report_cards")
    content = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.project} {self.created_at:%Y-%m-%d %H:%M}"
