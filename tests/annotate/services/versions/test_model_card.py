"""The model card: all that somebody has to know of a version who was not there when it was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from annotate.models import ClassMetric, Document, ModelVersion, Project, User
from annotate.services.versions import model_card
from tests.annotate.made.answered import answer
from tests.annotate.made.bundles import add_version
from training.bundles.bundle import CARD, MANIFEST, BundleError, file_checksum, open_bundle


@pytest.fixture
def version(project: Project, tmp_path: Path, settings: Any) -> ModelVersion:
    settings.BUNDLE_ROOT = tmp_path
    version = add_version(project, tmp_path, number=4)
    version.macro_f1, version.macro_f1_low, version.macro_f1_high = 0.812, 0.75, 0.86
    version.micro_f1, version.holdout_documents = 0.83, 120
    version.report = {"confusion": [[40, 0, 0], [3, 60, 1], [0, 9, 7]], "calibration_error": 0.0412}
    version.save()
    for label, support in zip(project.labels.all(), (40, 64, 9), strict=True):
        ClassMetric.objects.create(
            version=version,
            label=label,
            threshold=0.5,
            support=support,
            precision=0.9,
            recall=0.8,
            f1=0.85,
            f1_low=0.8,
            f1_high=0.9,
        )
    return version


def test_it_tells_data_figures_mistakes_and_limits(
    version: ModelVersion, project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    for document in add_documents(project, "one", "two"):
        answer(document, annotator, "red")
    card = model_card.write(version)
    for line in (
        "# Model card: Colours, version 4",
        "- **Macro-F1:** 0.81 (0.75–0.86)",
        "- **People who answered:** 1",
        "- **Documents of the pool today:** 2",
        "- **Holdout documents that report its figures:** 120",
        "| red | 40 | 0.90 | 0.80 | 0.85 | 0.80–0.90 |",
        "| blue | 9 | — | — | — | — |",
        "- blue decided as green: 9",
        "The label with the best score is decided, whatever the score is.",
        "Its scores are calibrated; the calibration error is 0.041.",
    ):
        assert line in card.splitlines()
    assert "nobody knows how good it is at them: blue." in card


def test_a_version_without_evidence_has_no_figures(version: ModelVersion) -> None:
    version.macro_f1, version.holdout_documents = None, 3
    assert "Macro-F1: measured from 10 holdout documents on; 3 so far." in model_card.write(version)
    assert "0.85" not in model_card.write(version)


def test_a_version_that_only_ranks_says_so(version: ModelVersion) -> None:
    version.calibrated = False
    assert "only rank labels (guess from few labels)" in model_card.write(version)
    assert "calibration error" not in model_card.write(version)


def test_names_of_people_stay_names(version: ModelVersion, project: Project) -> None:
    project.labels.filter(name="red").update(name="a|b <script>*x*\n# y", description="[z](javascript:1)")
    card = model_card.write(version)
    assert r"a\|b \<script\>\*x\*" in card
    assert "\n# y" not in card
    assert "[z](" not in card


def test_it_is_shown_printed_and_sent_as_a_file(
    version: ModelVersion, project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(lead)
    shown = client.get(reverse("version-card", args=[project.slug, 4])).content.decode()
    assert "<td>green</td>" in shown
    sent = client.get(reverse("version-card-file", args=[project.slug, 4]))
    assert sent.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert sent.content.decode().startswith("# Model card: Colours, version 4")
    with override("ru"):
        assert model_card.write(version).startswith("# Карточка модели: Colours, версия 4")


def test_it_lies_in_the_bundle_among_the_files_that_are_checked(version: ModelVersion) -> None:
    version.bundle_digest = file_checksum(version.bundle_folder / MANIFEST)
    for _again in range(2):  # as by a run that was killed after it had put one there
        model_card.keep(version)
        card = version.bundle_folder / CARD
        assert card.read_text("utf-8").startswith("# Model card: Colours, version 4")
        assert open_bundle(version.bundle_folder).files[CARD] == file_checksum(card)
        assert version.has_its_own_bundle()
    assert {path.suffix for path in version.bundle_folder.iterdir()}.isdisjoint({".part"})
    card.write_text("# Model card: the best there is", "utf-8")
    with pytest.raises(BundleError, match=f"'{CARD}' of the bundle .* was changed or damaged"):
        open_bundle(version.bundle_folder)


def test_it_names_the_checksums_of_the_models_files_and_not_its_own(version: ModelVersion) -> None:
    model_card.keep(version)
    text = (version.bundle_folder / CARD).read_text("utf-8")
    files = open_bundle(version.bundle_folder).files
    assert {"model.onnx", CARD} < set(files)
    for name, checksum in files.items():
        assert (f"- **SHA-256 of `{name}`:** {checksum}\n" in text) == (name != CARD)


def test_without_its_bundle_it_says_why_it_names_none(version: ModelVersion) -> None:
    (version.bundle_folder / MANIFEST).write_text("{}", "utf-8")
    assert "names no format" in model_card.write(version)
    version.bundle = ""
    assert "SHA-256 of `" not in model_card.write(version)
