from __future__ import annotations

from dataclasses import fields

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate import task_types
from annotate.models.accounts import User
from annotate.task_types import TaskType
from training import tasks
from training.registry import FAMILIES, families_in_order
from training.reportcard.card import Constraints
from training.types import Objective

MOST_SHARE = 0.9
SHARE = [MinValueValidator(0.0), MaxValueValidator(MOST_SHARE)]


def quick_families() -> list[str]:
    """Return the families that a new project trains by itself; `schedule` has those of the other tasks."""
    task = tasks.find(task_types.first())
    return [family.key for family in families_in_order(task) if family.is_automatic]


def validate_families(keys: object) -> None:
    if not isinstance(keys, list) or not keys:
        raise ValidationError(_("Choose at least one model family."))
    unknown = [str(key) for key in keys if key not in FAMILIES]
    if unknown:
        raise ValidationError(
            _("There is no model family %(unknown)s; choose among %(known)s."),
            params={"unknown": ", ".join(unknown), "known": ", ".join(FAMILIES)},
        )


def validate_constraints(values: object) -> None:
    known = {field.name for field in fields(Constraints)}
    if not isinstance(values, dict) or not set(values) <= known:
        raise ValidationError(
            _("Constraints are named %(known)s."), params={"known": ", ".join(sorted(known))}
        )


MOST_CARD_METADATA = 8  # keys beside a text, which has to stay in sight on a phone
LONGEST_METADATA_KEY = 200


def validate_card_metadata(keys: object) -> None:
    if not isinstance(keys, list) or not all(
        isinstance(key, str) and 0 < len(key) <= LONGEST_METADATA_KEY for key in keys
    ):
        raise ValidationError(_("Metadata beside the text is named by its keys."))
    if len(keys) > MOST_CARD_METADATA:
        raise ValidationError(
            _("Choose at most %(most)s keys of the metadata."), params={"most": MOST_CARD_METADATA}
        )


class Suggestions(models.TextChoices):
    NOW = "now", _("At once")
    AFTER = "after", _("After the choice")
    NEVER = "never", _("Never")


class WhyChosen(models.TextChoices):
    """What annotators are told of why they got a text."""

    NEVER = "never", _("Nothing")
    POOL = "pool", _("Why, but not which texts measure")
    ALL = "all", _("Why, and which texts measure")


class ObjectiveChoices(models.TextChoices):
    F1 = Objective.F1.value, _("F1")
    FBETA = Objective.FBETA.value, _("F-beta")
    PRECISION = Objective.PRECISION.value, _("A wanted precision")


class ProjectQuerySet(models.QuerySet["Project"]):
    def of(self, user: User, *roles: str) -> ProjectQuerySet:
        """Return the projects that `user` may enter; where roles are named, those that they enter as such."""
        if user.is_superuser:
            return self.standing()
        wanted = {"memberships__role__in": roles} if roles else {}
        return self.standing().filter(memberships__user=user, **wanted)

    def standing(self) -> ProjectQuerySet:
        """Leave out projects that somebody has deleted and whose rows a worker is still removing."""
        return self.filter(deleted_at=None)


class Project(models.Model):
    slug = models.SlugField(_("short name"), unique=True, help_text=_("Part of the project's address."))
    name = models.CharField(_("name"), max_length=200)
    task = models.CharField(_("task"), max_length=20, choices=task_types.choices, default=task_types.first)
    guidelines = models.TextField(_("guidelines"), blank=True)
    guidelines_version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )

    deleted_at = models.DateTimeField(null=True, editable=False)

    # Who labels what.
    annotators_per_document = models.PositiveSmallIntegerField(
        _("annotators per document"), default=1, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    lease_seconds = models.PositiveIntegerField(_("seconds that a document stays reserved"), default=600)
    suggestions = models.CharField(
        _("show suggestions"), max_length=10, choices=Suggestions, default=Suggestions.NOW
    )
    why_chosen = models.CharField(
        _("tell why a text was chosen"), max_length=10, choices=WhyChosen, default=WhyChosen.NEVER
    )
    reading_speed = models.PositiveIntegerField(
        _("words a minute that suggestions wait for"), default=0, validators=[MaxValueValidator(2000)]
    )
    group_labels = models.BooleanField(_("group labels by the start of their names"), default=True)
    colour_labels = models.BooleanField(_("mark labels by colours"), default=False)
    card_metadata = models.JSONField(
        _("metadata beside the text"), default=list, blank=True, validators=[validate_card_metadata]
    )
    marks_characters = models.BooleanField(_("mark by characters instead of words"), default=False)
    holdout_share = models.FloatField(_("holdout share of documents"), default=0.1, validators=SHARE)
    holdout_queue_share = models.FloatField(_("holdout share of the queue"), default=0.2, validators=SHARE)

    # What comes next.
    strategy = models.CharField(_("query strategy"), max_length=40, blank=True)
    batch_size = models.PositiveIntegerField(
        _("documents per batch"), default=50, validators=[MinValueValidator(1), MaxValueValidator(5000)]
    )
    novel_share = models.FloatField(_("novel share of a batch"), default=0.1, validators=SHARE)
    random_share = models.FloatField(_("random share of a batch"), default=0.02, validators=SHARE)

    # When and how models learn.
    training_enabled = models.BooleanField(_("train automatically"), default=True)
    families = models.JSONField(
        _("model families that train by themselves"), default=quick_families, validators=[validate_families]
    )
    family_options = models.JSONField(
        default=dict, blank=True, help_text=_("How each family trains by itself, as it was last published.")
    )
    retrain_after = models.PositiveIntegerField(_("new labels until the next model"), default=10)
    retrain_idle_seconds = models.PositiveIntegerField(_("idle seconds until the next model"), default=20)
    publish_automatically = models.BooleanField(_("publish a model that is not worse"), default=True)
    publish_recommended = models.BooleanField(_("publish the recommended model"), default=False)
    constraints = models.JSONField(
        _("what the model must do"), default=dict, blank=True, validators=[validate_constraints]
    )
    objective = models.CharField(
        _("tune thresholds to"), max_length=10, choices=ObjectiveChoices, default=ObjectiveChoices.F1
    )
    objective_value = models.FloatField(_("beta, or the wanted precision"), default=1.0)

    # What an LLM may suggest before the first model is published.
    llm_budget = models.PositiveIntegerField(_("tokens that an LLM may take"), default=0)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(annotators_per_document__gte=1),
                name="project_needs_an_annotator_per_document",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def task_type(self) -> TaskType:
        return task_types.find(self.task)

    @property
    def hides_suggestions_at_first(self) -> bool:
        """Whether a card may have been answered before its suggestion was to be seen."""
        return self.suggestions == Suggestions.AFTER or self.reading_speed > 0

    def people_to_ask(self, by: User) -> list[tuple[int, str]]:
        """Return the keys and names of whom a list can be made for: the members, and who makes it."""
        members = User.objects.filter(memberships__project=self, is_active=True)
        people = members | User.objects.filter(pk=by.pk)
        return list(people.distinct().order_by("username").values_list("pk", "username"))

    @property
    def asked(self) -> Constraints:
        """The lead's constraints on the project's models, for example how large one may be."""
        languages = tuple(self.constraints.get("languages", ()))
        return Constraints(**self.constraints | {"languages": languages})

    @property
    def query_strategy(self) -> str:
        """The registry key that the lead chose, or the usual one of the task (see `Task.strategy`)."""
        return self.strategy or self.task_type.task.default_strategy


class GuidelinesVersion(models.Model):
    """The guidelines of a project as they once were, by the number that annotations record.

    Of versions from before they were kept there is no row, and of the one in force then no date.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="guidelines_versions")
    number = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="guidelines_version_once_per_project")
        ]

    def __str__(self) -> str:
        return f"{self.project_id} {self.number}"


class LabelQuerySet(models.QuerySet["Label"]):
    def live(self) -> LabelQuerySet:
        return self.filter(archived_at=None)

    def successors(self, project: int) -> dict[int, int]:
        """Return what each merged label of a project became, by keys; none of those is merged itself."""
        merged = self.filter(project=project, merged_into__isnull=False).order_by()
        return {pk: into for pk, into in merged.values_list("pk", "merged_into") if into is not None}

    def names_today(self, project: int) -> tuple[dict[int, str], dict[int, int]]:
        """Return the names of a project's live labels, and what each merged one became, in one query."""
        names, became = {}, {}
        rows = self.filter(project=project).values_list("pk", "name", "archived_at", "merged_into")
        for pk, name, archived_at, into in rows.order_by():
            if archived_at is None:
                names[pk] = name
            elif into is not None:
                became[pk] = into
        return names, became


class Label(models.Model):
    """One label. Deleting archives it: annotations stay, it is neither offered nor learned any more.

    A merged one is archived, and answers with it become answers with the label it was `merged_into`. One
    whose merge is taken back is `is_returning` until a worker has given it its answers again. Where a project
    has labels of whole documents and of pieces of their texts, `of_spans` says which it is, for good.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="labels")
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    hotkey = models.CharField(_("key"), max_length=1, blank=True)
    of_spans = models.BooleanField(_("of pieces of the text"), default=False)
    position = models.PositiveIntegerField(default=0)
    archived_at = models.DateTimeField(null=True, blank=True)
    merged_into = models.ForeignKey(
        "self", models.SET_NULL, null=True, editable=False, related_name="predecessors"
    )
    is_returning = models.BooleanField(default=False, editable=False)

    objects = LabelQuerySet.as_manager()

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="label_name_once_per_project"),
            models.UniqueConstraint(
                fields=["project", "hotkey"],
                condition=~models.Q(hotkey="") & models.Q(archived_at=None),
                name="label_hotkey_once_per_project",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DictionaryEntry(models.Model):
    """Words to which a lead has given a label: where somebody asks for it, they are marked in a text.

    The label may have been archived or merged since: then the words wait, or belong to what it became.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="dictionary")
    label = models.ForeignKey(Label, models.CASCADE, related_name="+")
    words = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "words"], name="dictionary_words_once_per_project")
        ]

    def __str__(self) -> str:
        return self.words
