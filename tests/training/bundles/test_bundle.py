from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.training.conftest import make_dataset
from training.bundles import bundle as bundles
from training.bundles.bundle import MANIFEST, BundleDraft, BundleError, Manifest, bundle_bytes, open_bundle
from training.tasks import MULTI

SCHEMA = make_dataset(MULTI, 3).schema
MANIFEST_OF_NONE = Manifest("tfidf", SCHEMA, (0.1, 0.25, 0.3), {"method": "none"}, "ngrams")


def fill(draft: BundleDraft) -> Manifest:
    (draft.folder / "model.onnx").write_bytes(b"graph")
    (draft.folder / "ngrams.json").write_text("{}")
    return draft.write_manifest(MANIFEST_OF_NONE)


def published(target: Path, *, replace: bool = False) -> Path:
    with BundleDraft(target) as draft:
        fill(draft)
        return draft.publish(replace=replace)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    with BundleDraft(tmp_path / "one") as draft:
        written = fill(draft)
        draft.publish()
    found = open_bundle(tmp_path / "one")
    assert found == written
    assert found.schema == SCHEMA
    assert set(found.files) == {"model.onnx", "ngrams.json"}


def test_nothing_is_there_before_it_is_published(tmp_path: Path) -> None:
    with BundleDraft(tmp_path / "one") as draft:
        fill(draft)
        assert not (tmp_path / "one").exists()


def test_a_crash_before_the_rename_leaves_no_half_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "rename", crash)
    with pytest.raises(OSError, match="No space"):
        published(tmp_path / "one")
    assert list(tmp_path.iterdir()) == []


def test_files_are_durable_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(bundles, "_fsync", lambda path: steps.append(path.name))
    real = os.rename
    monkeypatch.setattr(os, "rename", lambda a, b: (steps.append("rename"), real(a, b)))
    published(tmp_path / "one")
    renamed = steps.index("rename")
    assert {"model.onnx", "ngrams.json", MANIFEST} <= set(steps[:renamed])
    assert steps[renamed + 1 :] == [tmp_path.name]


def test_a_published_bundle_is_only_replaced_on_request(tmp_path: Path) -> None:
    first = published(tmp_path / "one")
    (first / "stale.txt").write_text("")
    with pytest.raises(BundleError, match="already a bundle"):
        published(tmp_path / "one")
    published(tmp_path / "one", replace=True)
    assert not (first / "stale.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("name", ["model.onnx", "ngrams.json"])
def test_a_changed_file_is_noticed(tmp_path: Path, name: str) -> None:
    folder = published(tmp_path / "one")
    (folder / name).write_bytes(b"other")
    with pytest.raises(BundleError, match=f"{name}.*changed or damaged"):
        open_bundle(folder)


def test_a_card_is_checked_and_leaves_the_bundle_the_same_one(tmp_path: Path) -> None:
    target = published(tmp_path / "one")
    written = (target / MANIFEST).read_bytes()
    assert bundles.identity(target) == hashlib.sha256(written).hexdigest()
    for text in ("first", "second"):
        bundles.keep_card(target, text)
        assert open_bundle(target).files[bundles.CARD] == hashlib.sha256(text.encode()).hexdigest()
        assert bundles.identity(target) == hashlib.sha256(written).hexdigest()
    (target / bundles.CARD).write_text("third")
    with pytest.raises(BundleError, match="MODEL_CARD.md"):
        open_bundle(target)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_bundle_whose_card_was_not_finished_is_whole(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = published(tmp_path / "one")
    bundles.keep_card(target, "first")
    real, left = os.replace, iter([True] * (step - 1) + [False])

    def until(source: Path, name: Path) -> None:
        if not next(left):
            raise OSError("power cut")
        real(source, name)

    monkeypatch.setattr(os, "replace", until)
    with pytest.raises(OSError, match="power cut"):
        bundles.keep_card(target, "second")
    open_bundle(target)


def test_a_revision_brings_no_card_of_what_it_revises(tmp_path: Path) -> None:
    target = published(tmp_path / "one")
    bundles.keep_card(target, "of one")
    bundles.revise(target, tmp_path / "two", thresholds=(0.5, 0.5, 0.5), abstain_below=0.0)
    assert bundles.CARD not in open_bundle(tmp_path / "two").files
    assert not (tmp_path / "two" / bundles.CARD).exists()
    bundles.keep_card(tmp_path / "two", "of two")
    assert (target / bundles.CARD).read_text() == "of one"
    open_bundle(target)


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    folder = published(tmp_path / "one")
    (folder / "ngrams.json").unlink()
    with pytest.raises(BundleError, match=r"lacks its file 'ngrams\.json'"):
        open_bundle(folder)


def test_a_changed_threshold_is_noticed(tmp_path: Path) -> None:
    folder = published(tmp_path / "one")
    content = json.loads((folder / MANIFEST).read_text())
    content["thresholds"][0] = 0.9
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(BundleError, match="manifest was changed"):
        open_bundle(folder)


def test_a_manifest_cannot_point_out_of_its_folder(tmp_path: Path) -> None:
    folder = published(tmp_path / "one")
    (tmp_path / "outside").write_bytes(b"x")
    content = json.loads((folder / MANIFEST).read_text())
    content["files"]["../outside"] = bundles.file_checksum(tmp_path / "outside")
    del content["checksum"]
    content["checksum"] = bundles._content_checksum(content)
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(BundleError, match="outside"):
        open_bundle(folder)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": 1}', "\ufeffnonsense", "[" * 100_000, f'{{"format": {"9" * 5000}}}']
    + [f'{{"format": 1, "note": {value}}}' for value in ("1e999", "NaN", '"\\ud83d"', "[" * 70 + "]" * 70)],
)
def test_a_broken_manifest_is_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(BundleError, match="manifest"):
        open_bundle(tmp_path)


def test_a_newer_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{"format": 99}')
    with pytest.raises(BundleError, match="format 99.*update Winnow"):
        open_bundle(tmp_path)


def test_an_empty_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="There is no bundle"):
        open_bundle(tmp_path)


GRAPH = b"x" * 10_000
FINGERPRINT = hashlib.sha256(GRAPH).hexdigest()


def encoder(root: Path) -> Path:
    root.mkdir(parents=True)
    (root / "model.onnx").write_bytes(GRAPH)
    return root


def test_an_encoder_is_found_inside_the_bundle_before_the_shared_root(tmp_path: Path) -> None:
    manifest = Manifest("embedding", SCHEMA, (), {}, "encoder", encoder=FINGERPRINT)
    shared = encoder(tmp_path / "encoders" / FINGERPRINT)
    folder = tmp_path / "one"
    assert bundles.encoder_folder(folder, manifest, None) is None
    assert bundles.encoder_folder(folder, manifest, tmp_path / "encoders") == shared
    inside = encoder(folder / "encoder")
    assert bundles.encoder_folder(folder, manifest, tmp_path / "encoders") == inside


def test_another_encoder_under_the_same_name_is_refused(tmp_path: Path) -> None:
    manifest = Manifest("embedding", SCHEMA, (), {}, "encoder", encoder=FINGERPRINT)
    (encoder(tmp_path / FINGERPRINT) / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match="encoder at .* was changed"):
        bundles.encoder_folder(tmp_path / "one", manifest, tmp_path)


def test_an_encoder_inside_does_not_count_as_the_bundle(tmp_path: Path) -> None:
    source = encoder(tmp_path / "encoders" / "abc")
    with BundleDraft(tmp_path / "one") as draft:
        fill(draft)
        draft.add_encoder(source)
        draft.publish()
    assert bundle_bytes(tmp_path / "one") < 10_000
    assert (tmp_path / "one" / "encoder" / "model.onnx").read_bytes() == (source / "model.onnx").read_bytes()
