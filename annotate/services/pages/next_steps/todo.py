"""What a lead should do next: one list by worth, each entry gone once it is done."""

from __future__ import annotations

from annotate.models import ModelVersion, Project
from annotate.services.pages.next_steps import answers, labels, models
from annotate.services.pages.next_steps.step import NextStep, Rule, Situation

# By worth: what harms whoever asks the model now, what costs one press of a button, what spoils each later
# model, what people wait for, and last what makes figures finer.
RULES: tuple[Rule, ...] = (
    models.drift_alarm,
    models.recommended_version,
    models.unmeasured_version,
    models.silenced_webhook,
    answers.likely_errors,
    answers.split_labels,
    answers.handed_on_answers,
    answers.open_flags,
    labels.waiting_import,
    labels.small_holdout_labels,
    labels.unused_labels,
)


def steps(project: Project, *, published: ModelVersion | None, is_lead: bool) -> list[NextStep]:
    """Return what to do next, without what only a lead may do where somebody else asks."""
    at = Situation(project, published)
    found = (rule(at) for rule in RULES)
    return [step for step in found if step is not None and (is_lead or not step.for_leads)]
