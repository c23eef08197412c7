"""The model card of a version as Markdown: what it is and learned, how good it is, and where that ends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.db.models import Count
from django.utils import formats, timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import override

from annotate.models import ClassMetric, Label, ModelVersion
from annotate.models.documents import Lane
from annotate.models.runs import family_title
from annotate.services.sentences import translated
from annotate.services.versions import guesses
from annotate.services.versions.record import VersionReport
from training.bundles.bundle import CARD, BundleError, keep_card, read_manifest
from training.figures.evidence import FEWEST_OF_A_LABEL

CONFUSED = 5  # pairs of labels that are told
SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~])")


def write(version: ModelVersion) -> str:
    """Return the card in the language in force; it holds no text of a document."""
    report = VersionReport.load(version.report)
    metrics = list(version.class_metrics.select_related("label").order_by("label__position", "label_id"))
    sections = [
        ("", _about(version)),
        (_("Model"), _model(version, report)),
        (_("Data"), _data(version)),
        (_("Labels"), _labels(version)),
        (_("Figures"), _figures(version, metrics, report)),
        (_("Thresholds and calibration"), _decisions(version, metrics, report)),
        (_("Limits"), _limits(version, metrics)),
        (_("Methods"), _methods()),
    ]
    parts = []
    for title, lines in sections:
        parts += [*([f"## {title}", ""] if title else []), *lines, ""]
    return "\n".join(parts).strip() + "\n"


def keep(version: ModelVersion) -> None:
    """Put the card into the bundle, in English."""
    with override("en"):
        text = write(version)
    keep_card(version.bundle_folder, text)


def plain(text: str) -> str:
    """Return what a person has written as it is read, whatever it would mean in Markdown."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _about(version: ModelVersion) -> Iterator[str]:
    title = _("Model card: %(project)s, version %(n)s")
    yield "# " + title % {"project": plain(version.project.name), "n": version.number}
    yield ""
    yield _("Written %(at)s by Winnow.") % {"at": _date(timezone.now())}
    if version.verdict:
        yield plain(translated(version.verdict))


def _facts(rows: Iterable[tuple[str, object]]) -> Iterator[str]:
    for name, value in rows:
        if value not in (None, ""):
            yield f"- **{name}:** {value}"


def _model(version: ModelVersion, report: VersionReport) -> Iterator[str]:
    family = family_title(version.family)
    parity = report.parity
    yield from _facts(
        [
            (_("Task"), version.project.task_type.name),
            (_("Family"), f"{family} ({plain(version.variant)})" if version.variant else family),
            (_("Made"), _date(version.created_at)),
            (_("State"), version.get_stage_display()),
            (_("Seconds of training"), _number(report.fit_seconds, 1)),
            (_("Bytes of the bundle"), report.bundle_bytes or None),
            (_("SHA-256 of the encoder"), version.encoder),
            (_("Precision"), parity.precision if parity else None),
            (
                _("Decisions of the export that are those of the model"),
                f"{_number(100 * parity.same_decisions, 1)} %" if parity else None,
            ),
        ]
    )
    yield from _files(version)


def _files(version: ModelVersion) -> Iterator[str]:
    """Tell by which checksums one knows the model's files; the card's own stands in the manifest alone."""
    if not version.bundle:
        return
    try:
        manifest = read_manifest(version.bundle_folder)
    except BundleError as error:
        yield plain(translated(str(error)))
        return
    known = {**manifest.files, **manifest.parts}
    yield from _facts(
        (_("SHA-256 of %(file)s") % {"file": f"`{name}`"}, checksum)
        for name, checksum in known.items()
        if name != CARD
    )


def _data(version: ModelVersion) -> Iterator[str]:
    project = version.project
    lanes = dict(project.documents.order_by().values_list("lane").annotate(n=Count("pk")))
    people = project.annotations.answered().filter(annotator__is_machine=False)
    yield from _facts(
        [
            (_("Answers that it learned from"), version.labelled),
            (_("Holdout documents that report its figures"), version.holdout_documents),
            (_("Documents of the pool today"), lanes.get(Lane.POOL, 0)),
            (_("Documents of the holdout today"), lanes.get(Lane.HOLDOUT, 0)),
            (_("People who answered"), people.values("annotator").distinct().count()),
            (_("Answers wanted for each document"), project.annotators_per_document),
            (_("Version of the guidelines today"), project.guidelines_version),
            (_("Query strategy"), plain(project.query_strategy)),
            (_("Novel share of what people were asked"), f"{_number(100 * project.novel_share, 0)} %"),
            (_("Random share of what people were asked"), f"{_number(100 * project.random_share, 0)} %"),
        ]
    )


def _labels(version: ModelVersion) -> Iterator[str]:
    known = Label.objects.in_bulk(version.label_ids)
    for pk in version.label_ids:
        if pk in known:
            label = known[pk]
            about = f": {plain(label.description)}" if label.description else ""
            yield f"- {plain(label.name)}{about}"


def _figures(version: ModelVersion, metrics: Sequence[ClassMetric], report: VersionReport) -> Iterator[str]:
    figure = capfirst(str(version.project.task_type.figure))
    if version.why_not_measured:
        yield _("%(figure)s: %(why)s.") % {"figure": figure, "why": version.why_not_measured}
        return
    span = f"{_share(version.f1_low)}–{_share(version.f1_high)}"
    yield from _facts(
        [
            (figure, f"{_share(version.f1)} ({span})"),
            (_("Macro-F1") if version.tags_words else _("Micro-F1"), _share(version.other_f1)),
        ]
    )
    yield ""
    heads = (_("Label"), _("Support"), _("Precision"), _("Recall"), _("F1"), _("95 % interval"))
    yield from _table(heads, (_metric_row(row) for row in metrics))
    confused = list(_confused(version, report))
    if confused:
        yield ""
        yield _("Taken for each other most often:")
        yield ""
        yield from confused


def _metric_row(row: ClassMetric) -> tuple[str, ...]:
    name, support = plain(row.label.name), str(row.support)
    if row.is_told_as_counts or row.f1 is None:
        return name, support, "—", "—", "—", "—"
    span = f"{_share(row.f1_low)}–{_share(row.f1_high)}"
    return name, support, _share(row.precision), _share(row.recall), _share(row.f1), span


def _confused(version: ModelVersion, report: VersionReport) -> Iterator[str]:
    names = dict(Label.objects.filter(pk__in=version.label_ids).values_list("pk", "name"))
    cells = [
        (number, i, j)
        for i, row in enumerate(report.confusion or ())
        for j, number in enumerate(row)
        if i != j and number
    ]
    for number, i, j in sorted(cells, key=lambda cell: (-cell[0], cell[1], cell[2]))[:CONFUSED]:
        right, said = (plain(names.get(version.label_ids[at], "?")) for at in (i, j))
        yield "- " + _("%(right)s decided as %(said)s: %(n)s") % {
            "right": right,
            "said": said,
            "n": number,
        }


def _decisions(version: ModelVersion, metrics: Sequence[ClassMetric], report: VersionReport) -> Iterator[str]:
    if not version.calibrated:
        why = _("Its scores only rank labels (%(guess)s): too few labelled documents calibrate them.")
        yield why % {"guess": guesses.called(version)}
        return
    if version.project.task_type.task.has_thresholds:
        yield from _table(
            (_("Label"), _("Threshold")),
            ((plain(row.label.name), _share(row.threshold)) for row in metrics),
        )
    else:
        yield _("The label with the best score is decided, whatever the score is.")
    if report.calibration_error is not None:
        yield ""
        yield _("Its scores are calibrated; the calibration error is %(error)s.") % {
            "error": _number(report.calibration_error, 3)
        }


def _limits(version: ModelVersion, metrics: Sequence[ClassMetric]) -> Iterator[str]:
    few = [plain(row.label.name) for row in metrics if row.support < FEWEST_OF_A_LABEL]
    if few:
        yield "- " + _(
            "Of these labels fewer than %(n)s holdout documents are answered, so that nobody knows how good "
            "it is at them: %(names)s."
        ) % {"n": FEWEST_OF_A_LABEL, "names": ", ".join(few)}
    yield "- " + _(
        "Its figures hold for texts like those of its project. It was measured on nothing else, and on no "
        "groups of people that its texts are about."
    )
    yield "- " + _("It knows these labels alone: a text about anything else gets one of them or none.")
    if version.project.drift_alarms.filter(ended_at=None).exists():
        yield "- " + _("Programs ask it about other texts than usual: an alarm of drift is open.")


def _methods() -> Iterator[str]:
    for sentence in (
        _("Holdout documents are drawn at random before anybody labels; near duplicates stay on one side."),
        _("No model learns from them. One half sets thresholds and calibration, the other reports."),
        _("Intervals are 95 % intervals: of F1 by resampling documents, of shares after Wilson."),
        _("What people label of the pool is chosen by a model, so that nothing is measured there."),
        _("The model serves as an ONNX graph, which has to decide as the trained one does."),
    ):
        yield f"- {sentence}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _share(value: float | None) -> str:
    return "—" if value is None else _number(value, 2)


def _number(value: float, digits: int) -> str:
    return formats.number_format(round(value, digits), digits)


def _date(moment: datetime) -> str:
    return formats.date_format(timezone.localtime(moment), "DATE_FORMAT")
