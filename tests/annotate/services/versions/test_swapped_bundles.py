"""A bundle that somebody put in the place of another is refused wherever it would be loaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotate.models import ModelVersion, Project, User
from annotate.services.versions import predictions, publication, rescore
from annotate.services.versions.loaded_bundles import tried
from tests.annotate.made.bundles import add_version
from training.bundles.bundle import MANIFEST, BundleError, file_checksum


@pytest.fixture
def swapped(project: Project, tmp_path: Path, settings: Any) -> ModelVersion:
    """Return a published version whose folder holds a whole, valid bundle of another one."""
    settings.BUNDLE_ROOT = tmp_path
    predictions.CACHE.clear()
    version = add_version(project, tmp_path)
    other = add_version(project, tmp_path, number=2, stage="candidate", explains=False)
    version.bundle_digest = file_checksum(version.bundle_folder / MANIFEST)
    version.save()
    tried(version, encoder_root=tmp_path)
    shutil.rmtree(version.bundle_folder)
    shutil.copytree(other.bundle_folder, version.bundle_folder)
    return version


def test_a_process_does_not_load_it(swapped: ModelVersion, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not the one that version 1 was recorded with"):
        tried(swapped, encoder_root=tmp_path)


@pytest.mark.parametrize(
    "ask",
    [
        lambda version: predictions.predict(project=version.project, texts=["red"]),
        lambda version: publication.publish(version=version),
        lambda version: rescore.rescore(project=version.project, version=version),
    ],
)
def test_whoever_asks_gets_a_sentence(ask: Callable[[ModelVersion], object], swapped: ModelVersion) -> None:
    known = (BundleError, predictions.NothingServes, publication.NotPublished)
    with pytest.raises(known, match="not the one that version 1 was recorded with"):
        ask(swapped)


def test_a_bundle_that_is_recorded_serves(swapped: ModelVersion, lead: User) -> None:
    swapped.bundle_digest = file_checksum(swapped.bundle_folder / MANIFEST)
    swapped.save()
    publication.publish(version=swapped, by=lead)
