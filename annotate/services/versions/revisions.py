"""A version by other thresholds is one of its own, so that it is published and gone back from like any."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _
from django.utils.translation import override

from annotate.models import Label, ModelVersion, Project, User
from annotate.models.documents import Half
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.sentences import translated
from annotate.services.versions import holdout, model_card, record, samples
from annotate.services.versions.holdout import HoldoutScores
from training.bundles.bundle import BundleError, revise
from training.figures.evaluate import evaluate
from training.types import FloatArray, LabelSchema, LabelSpec


class NotRevised(Exception):
    """Thresholds that cannot be saved; the message is a sentence for the lead."""


def save(
    *,
    version: ModelVersion,
    by: User,
    thresholds: Mapping[int, float] | None = None,
    abstain_below: float | None = None,
) -> ModelVersion:
    """Make a version that decides by these thresholds, by label, and not on what is under a confidence.

    What is not given stays as it is. Raises `NotRevised` where nothing would change or the version cannot be
    revised, `NotScored` where nothing is kept of what it says of the holdout.
    """
    scored = holdout.of_version(version)
    wanted = _wanted(version, scored, thresholds or {})
    least = version.abstain_below if abstain_below is None else abstain_below
    changed = _changed(version, scored.thresholds, wanted, least)
    if not version.bundle:
        raise NotRevised(
            _("The bundle of version %(n)s was removed to save space; train again.") % {"n": version.number}
        )
    if not changed:
        raise NotRevised(
            _("Nothing differs from version %(n)s, so nothing was saved.") % {"n": version.number}
        )
    if least and not version.calibrated:
        raise NotRevised(
            _("The scores of version %(n)s are not calibrated, so there is no confidence to go by.")
            % {"n": version.number}
        )
    return _save(version, scored, wanted, least, changed, by)


@transaction.atomic
def _save(
    version: ModelVersion,
    scored: HoldoutScores,
    thresholds: FloatArray,
    least: float,
    changed: dict[str, dict[str, float]],
    by: User,
) -> ModelVersion:
    project = Project.objects.select_for_update(no_key=True).get(pk=version.project_id)
    number = (project.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    folder = f"{project.pk}/revision-{number}"
    try:
        revise(
            version.checked_folder(),
            settings.BUNDLE_ROOT / folder,
            thresholds=[float(threshold) for threshold in thresholds],
            abstain_below=least,
        )
    except BundleError as error:
        told = {"n": version.number, "why": translated(str(error))}
        raise NotRevised(_("Version %(n)s cannot be revised: %(why)s") % told) from error
    reporting = scored.half(Half.REPORTING)
    specs = tuple(LabelSpec(str(pk), str(pk)) for pk in version.label_ids)
    schema, rng = LabelSchema(scored.task, specs), np.random.default_rng(0)
    with override(settings.LANGUAGE_CODE):  # it is stored, and translated for whoever reads it
        verdict = _("Version %(n)s with thresholds that %(name)s has set.") % {
            "n": version.number,
            "name": by.get_username(),
        }
    revision = record.record_revision(
        of=version,
        number=number,
        bundle=folder,
        evaluation=evaluate(schema, reporting.targets, reporting.scores, thresholds, rng),
        abstain_below=least,
        verdict=verdict,
    )
    samples.copy(version=version, to=revision, thresholds=thresholds)
    model_card.keep(revision)
    events.record(
        EventKind.THRESHOLDS_CHANGED,
        by=by,
        project=project,
        subject=str(number),
        of=version.number,
        changed=changed,
    )
    return revision


def _wanted(version: ModelVersion, scored: HoldoutScores, given: Mapping[int, float]) -> FloatArray:
    """Return the thresholds (labels,), those that are given in place of the version's own."""
    if given and not scored.task.has_thresholds:
        raise NotRevised(
            _("A document of this project has one label, that of the best score: no threshold decides.")
        )
    wanted = scored.thresholds.copy()
    for column, pk in enumerate(version.label_ids):
        wanted[column] = given.get(pk, wanted[column])
    return wanted


def _changed(
    version: ModelVersion, old: FloatArray, new: FloatArray, least: float
) -> dict[str, dict[str, float]]:
    """Return the old and the new value of what differs by its label's name; "" is the least confidence."""
    names = dict(Label.objects.filter(project=version.project_id).values_list("pk", "name"))
    changed = {
        names.get(pk, str(pk)): {"old": float(old[column]), "new": float(new[column])}
        for column, pk in enumerate(version.label_ids)
        if old[column] != new[column]
    }
    if least != version.abstain_below:
        changed[""] = {"old": version.abstain_below, "new": least}
    return changed
