"""Which version serves: what was measured decides, and one row changes hands."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from annotate.models import KeptScores, ModelVersion, Project, Publication, TrainingRun, User
from annotate.models.events import EventKind
from annotate.models.jobs import WebhookEvent
from annotate.models.versions import Stage
from annotate.models.work import WorkState
from annotate.services import events
from annotate.services.sentences import translated
from annotate.services.versions import comparison
from annotate.services.versions.comparison import GateComparison
from annotate.services.versions.loaded_bundles import tried
from annotate.services.versions.variants import RunConfig
from annotate.services.webhooks import outbox as webhooks
from training.bundles.bundle import MANIFEST, BundleError, open_bundle
from training.figures import gate
from training.figures.evaluate import PairedDifference
from training.figures.evidence import is_enough
from training.registry import FAMILIES
from training.spans import SpanDataset
from training.types import Dataset, TrainingError

# How sure it must be that another family or variant is better: else noise lets the two take turns.
SURE = 0.9
KEPT_BUNDLES = 10


class NotPublished(Exception):
    """A version that cannot be published; the message is a sentence for the lead."""


class TakenOver(NotPublished):
    """The version of a run that was cancelled, or that another worker has by now."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to publish, and why, as a sentence.

    `is_refused`: it was compared with the best so far of its kind and may lose too much. `gain` is by how
    much it was measured better than that one, None where the two were not compared.
    """

    publish: bool
    reason: str
    is_refused: bool = False
    gain: float | None = None


def judge(
    *,
    version: ModelVersion,
    documents: Dataset | SpanDataset,
    encoder: Any = None,
    were_tuned_on: bool = False,
    is_next: bool = False,
) -> Verdict:
    """Compare a candidate with the best so far of its kind, or another kind that is published.

    Both are measured on the same held-out documents; `encoder` gives vectors that are kept. Runs take the
    tuning half (`were_tuned_on`), so that what is chosen by it does not make the figures of the reporting
    half look better than they are. With `is_next` the candidate is to take the place of its family's
    published version, though its variant is another one: then it has to lose no more than a margin, but
    only where the two can be compared, and to tell confidences if that one does.
    """
    project = version.project
    if not (project.publish_automatically or project.publish_recommended):
        return Verdict(False, _("This project leaves publishing to a lead."))
    old = project.versions.published().first()
    if old is None:
        return Verdict(True, _("The project's first published model."))
    if old.label_ids != version.label_ids:
        return Verdict(
            True,
            _("The labels changed since version %(n)s, so the two cannot be compared.") % {"n": old.number},
        )
    if project.publish_recommended and not version.follows(old):
        return Verdict(False, _("The report card decides which model is published."))
    if version.follows(old) and is_enough(len(documents)):
        old = best_so_far(version=version, published=old)
    by = comparison.on(documents, encoder, were_tuned_on=were_tuned_on)
    try:
        theirs = by.said(old)
    except TrainingError as error:
        return Verdict(
            True, _("Version %(n)s can no longer be read: %(why)s") % {"n": old.number, "why": error}
        )
    if not is_enough(len(documents)):
        known = (
            _("Only %(documents)s holdout documents are labelled, too few to compare two models")
            if len(documents)
            else _("No holdout document is labelled yet, so nothing is measured")
        ) % {"documents": len(documents)}
        # The newer one of a kind has learned from more, so it serves; another kind has to be measured first.
        if version.follows(old):
            return Verdict(True, _("%(known)s: the newer one is published.") % {"known": known})
        return Verdict(False, _("%(known)s: the other model stays published.") % {"known": known})
    if is_next and old.calibrated and not version.calibrated:
        return Verdict(
            False,
            _("Too few holdout documents are labelled to tell its confidences, as version %(n)s does.")
            % {"n": old.number},
        )
    takes_over = version.follows(old) or (is_next and version.family == old.family)
    found = by.difference(by.said(version), theirs)
    return _compare(version, old, by, found, len(documents), takes_over=takes_over)


def best_so_far(*, version: ModelVersion, published: ModelVersion) -> ModelVersion:
    """Return the best of the versions that `version` would follow; it is rescored on today's documents.

    Those are the versions of its family, variant and labels that were published, were not gone back from and
    whose bundle is kept. The best is the newest of them that was measured better than the best before it, or
    could not be compared with it.
    """
    found = [one for one in _served(version.project, version.label_ids) if version.follows(one)]
    return next((one for one in found if one.gain is None or one.gain > 0), published)


def _served(project: Project, label_ids: list[int]) -> list[ModelVersion]:
    standing = Publication.objects.standing().filter(project=project).values("version")
    rows = project.versions.filter(Q(pk__in=standing) | Q(stage=Stage.PUBLISHED)).exclude(bundle="")
    return [one for one in rows.order_by("-number") if one.label_ids == label_ids]


def _compare(
    new: ModelVersion,
    old: ModelVersion,
    by: GateComparison,
    found: PairedDifference,
    documents: int,
    *,
    takes_over: bool,
) -> Verdict:
    measured = by.sentence % {
        "n": old.number,
        "documents": documents,
        "difference": f"{found.difference:+.3f}",
        "low": f"{found.low:+.3f}",
        "high": f"{found.high:+.3f}",
    }
    if takes_over:
        tries = _tries_against(new, old)
        has_learned_as_much = new.labelled >= old.labelled
        risk = gate.RULE.risk_of_loss(found.difference, found.error, has_learned_as_much=has_learned_as_much)
        if risk > gate.RULE.allowed_risk(tries):
            return Verdict(
                False,
                _(
                    "%(measured)s: the risk that it loses more than %(margin)s is %(risk)s %%, and "
                    "%(allowed)s %% is allowed. Not published; a lead can publish it."
                )
                % {
                    "measured": measured,
                    "margin": gate.MARGIN,
                    "risk": f"{100 * risk:.1f}",
                    "allowed": f"{100 * gate.RULE.allowed_risk(tries):.1f}",
                },
                is_refused=True,
                gain=found.difference,
            )
        return Verdict(
            True,
            _("%(measured)s: it does not lose more than %(margin)s, published.")
            % {"measured": measured, "margin": gate.MARGIN},
            gain=found.difference,
        )
    if found.probability_better >= SURE:
        return Verdict(True, _("%(measured)s: better, published.") % {"measured": measured})
    return Verdict(
        False,
        _("%(measured)s: not surely better than the other model, not published.") % {"measured": measured},
    )


def _tries_against(new: ModelVersion, best: ModelVersion) -> int:
    """Count the tries since the best so far that were measured worse, whether they passed or not."""
    rows = new.project.versions.filter(family=new.family, variant=new.variant, number__lt=new.number)
    worse = rows.filter(gain__lt=0, number__gt=best.number).order_by("number")
    return gate.tries_before(new.labelled, worse.values_list("labelled", flat=True))


def served_before(*, project: Project) -> QuerySet[ModelVersion]:
    """Return the versions that were published before the one that is now, the latest first.

    The first of them is the one that a roll-back publishes again. Those whose bundle was removed to save
    space are left out, as none of them can serve again.
    """
    standing = Publication.objects.standing().filter(version=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    versions = project.versions.exclude(stage=Stage.PUBLISHED).exclude(bundle="").select_related("run")
    return versions.annotate(standing=Subquery(standing)).exclude(standing=None).order_by("-standing")


@transaction.atomic
def publish(*, version: ModelVersion, token: int | None = None, by: User | None = None) -> ModelVersion:
    """Let `version` serve. A run gives its `token`; one whose lease went to another worker cannot publish.

    What a run publishes it has just measured; what a person publishes may have lost its encoder since.
    """
    _check_bundle(version, is_measured=token is not None)
    project = Project.objects.select_for_update(no_key=True).get(pk=version.project_id)
    if token is not None:
        current = TrainingRun.objects.filter(versions=version, token=token, state=WorkState.RUNNING)
        if not TrainingRun.objects.filter(pk__in=current).update(heartbeat_at=timezone.now()):
            raise TakenOver(_("Another worker has taken this run over, so its result is not published."))
    is_new = not project.versions.published().filter(pk=version.pk).exists()
    _let_serve(project, version, by)
    if is_new:
        _announce(project, version)
    if by is not None and is_new:
        events.record(EventKind.PUBLISHED, by=by, project=project, subject=str(version.number))
    latest = project.publications.standing().first()
    if latest is None or latest.version_id != version.pk:
        Publication.objects.create(project=project, version=version, published_at=timezone.now())
    return version


@transaction.atomic
def roll_back(*, project: Project, by: User, number: int | None = None) -> ModelVersion:
    """Publish the version that served before the published one; done again, it goes further back.

    `number` is the version that the person was shown. Where another one would be published by now, nothing
    is: raises `NotPublished`, as it does where no version served before.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    older = served_before(project=project).first()
    if older is None:
        raise NotPublished(_("There is no earlier published version whose bundle is still kept."))
    if number not in (None, older.number):
        raise NotPublished(
            _("Version %(asked)s is no longer the one that served before, but %(n)s: nothing was changed.")
            % {"asked": number, "n": older.number}
        )
    _check_bundle(older, is_measured=False)
    _let_serve(project, older, by)
    _announce(project, older)
    events.record(EventKind.ROLLED_BACK, by=by, project=project, subject=str(older.number))
    since = project.publications.standing().filter(pk__gt=older.publications.standing().latest("pk").pk)
    since.update(withdrawn_at=timezone.now())
    return older


def _let_serve(project: Project, version: ModelVersion, by: User | None) -> None:
    """Give the one published place of the project to `version`, within the caller's transaction."""
    ModelVersion.objects.published().filter(project=project).exclude(pk=version.pk).update(
        stage=Stage.RETIRED
    )
    if by is not None:
        with override(settings.LANGUAGE_CODE):  # it is stored, and translated for whoever reads it
            version.verdict = _("Published by %(name)s.") % {"name": by.get_username()}
    version.stage, version.published_at = Stage.PUBLISHED, timezone.now()
    version.save(update_fields=["stage", "published_at", "verdict"])
    # From now on the family trains by itself the way this version did, where its run still tells that.
    if version.family in FAMILIES and (version.run is not None or not version.variant):
        options = RunConfig.load(version.run.config if version.run else {}).lasting().dump()
        if project.family_options.get(version.family, {}) != options:
            project.family_options = project.family_options | {version.family: options}
            project.save(update_fields=["family_options"])


def _announce(project: Project, version: ModelVersion) -> None:
    webhooks.announce(
        project,
        WebhookEvent.VERSION_PUBLISHED,
        version=version.number,
        family=version.family,
        macro_f1=version.macro_f1,
        macro_f1_low=version.macro_f1_low,
        macro_f1_high=version.macro_f1_high,
        holdout_documents=version.holdout_documents,
    )


def _check_bundle(version: ModelVersion, *, is_measured: bool) -> None:
    if not version.bundle:
        raise NotPublished(
            _("The bundle of version %(n)s was removed to save space; train again.") % {"n": version.number}
        )
    try:
        if is_measured:
            open_bundle(version.checked_folder())
        else:
            tried(version, encoder_root=settings.ENCODER_ROOT)
    except BundleError as error:
        told = {"n": version.number, "why": translated(str(error))}
        raise NotPublished(_("Version %(n)s cannot be published: %(why)s") % told) from error


def bundles_to_keep(*, project: Project) -> set[int]:
    """Return the keys of the versions whose bundles stay.

    Those are the published one, the newest ten, the newest of each family and variant, as one that is
    trained seldom would else be gone before it is compared, and the best so far that newer ones are judged
    by.
    """
    kept = project.versions.exclude(bundle="").order_by("-number").defer("report")
    newest = {(one.family, one.variant): one for one in reversed(kept)}
    published = {one.pk for one in kept if one.stage == Stage.PUBLISHED}
    best = {best_so_far(version=one, published=one).pk for one in newest.values()}
    return {*published, *(one.pk for one in kept[:KEPT_BUNDLES]), *(one.pk for one in newest.values()), *best}


def bundles_are_there() -> bool:
    """Tell whether the bundle of each published version is the one that it was recorded with.

    NB: by its manifest alone, as a probe asks every few seconds; whoever loads a bundle checks all of it.
    """
    published = ModelVersion.objects.published().filter(project__deleted_at=None).defer("report")
    return all(
        (version.bundle_folder / MANIFEST).is_file() and version.has_its_own_bundle() for version in published
    )


def prune(*, project: Project) -> int:
    """Remove the bundles that need not stay; the rows with their figures do. Return how many went."""
    gone = project.versions.exclude(bundle="").exclude(pk__in=bundles_to_keep(project=project))
    removed = 0
    for version in gone:
        # NB: the row is changed first, so that nobody publishes a bundle that is being removed.
        folder = version.bundle_folder
        rows = ModelVersion.objects.filter(pk=version.pk).exclude(stage=Stage.PUBLISHED)
        if rows.update(bundle=""):
            KeptScores.objects.filter(version=version).delete()
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed
