"""A bundle is the folder that a model is published as: JSON, ONNX and plain files, each with its checksum."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from training import tasks
from training.storable import DEPTH_ONLY, json_fault
from training.types import DocumentTask, Json, LabelSchema, LabelSpec, Schema, TrainingError

FORMAT = 1
MANIFEST = "manifest.json"
GRAPH = "model.onnx"
CARD = "MODEL_CARD.md"  # what people read of the model; its text may name the other files' checksums
ENCODER = "encoder"
ORIGINAL = "original"  # the trained model as its family saves it, where a bundle keeps that; it never serves


class BundleError(TrainingError):
    """A bundle that is missing, incomplete, changed, or of a format that this version does not read."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle is and how its scores are to be read.

    `thresholds` (labels,) are in schema order. `calibration` is what `training.figures.calibration` stores.
    `note` says why `precision` is not the one that was asked for. `encoder` is the fingerprint of the encoder
    that the bundle needs. `files` holds the SHA-256 of each file of the bundle. Scores that are not
    `calibrated` only rank: enough labelled documents were not there yet (see `calibration.holds`). Texts
    whose confidence is under `abstain_below` are left undecided, by a bundle that is calibrated.
    """

    family: str
    schema: Schema
    thresholds: tuple[float, ...]
    calibration: Mapping[str, Json]
    preprocessing: str
    precision: str = "fp32"
    note: str = ""
    encoder: str | None = None
    figures: Mapping[str, Json] = field(default_factory=dict)
    created: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    split: float = 0.0
    calibrated: bool = False
    abstain_below: float = 0.0

    def to_json(self) -> dict[str, Json]:
        """Return the manifest as it is stored, with a checksum over itself."""
        content = {one.name: getattr(self, one.name) for one in fields(self)}
        content |= {"format": FORMAT, "schema": self.schema.dump()}
        return content | {"checksum": _content_checksum(content)}

    @classmethod
    def from_json(cls, content: Json) -> Manifest:
        """Return the manifest of a stored content; raises `BundleError` where it is not one."""
        if not isinstance(content, dict) or "format" not in content:
            raise BundleError("The bundle's manifest is not one of ours: it names no format.")
        if content["format"] != FORMAT:
            raise BundleError(
                f"The bundle has the format {content['format']}, this version reads {FORMAT}; "
                "train the model again or update Winnow."
            )
        body = {key: value for key, value in content.items() if key != "checksum"}
        if _content_checksum(body) != content.get("checksum"):
            raise BundleError(
                "The bundle's manifest was changed after it was written; restore it or train again."
            )
        return cls(**_read_fields(body))


def _written(content: Mapping[str, Json]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1)


def _content_checksum(content: Mapping[str, Json]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _read_fields(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "format"} | {
        "schema": read_schema(body["schema"]),
        "thresholds": tuple(body["thresholds"]),
        # A bundle of before this was noted has a method where there was anything to learn it from.
        "calibrated": bool(body.get("calibrated", body["calibration"].get("method") != "none")),
    }


def read_schema(content: Mapping[str, Any]) -> Schema:
    """Return the schema that `Schema.dump` gave; that of a task of whole documents is a `LabelSchema`."""
    task, labels = tasks.find(content["task"]), tuple(LabelSpec(**label) for label in content["labels"])
    return LabelSchema(task, labels) if isinstance(task, DocumentTask) else Schema(task, labels)


class BundleDraft:
    """A bundle that is being written beside its final place, into which `publish` moves it by one rename.

    Use it as a context manager: what was not published is removed.
    """

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> BundleDraft:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.folder = self.target.parent / f".{self.target.name}.{uuid4().hex}"
        self.folder.mkdir()  # not mkdtemp, so that the umask decides who may read the bundle
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_manifest(self, manifest: Manifest) -> Manifest:
        """Add checksums and the time to a manifest and write it; may be called again with newer figures."""
        files = {name: file_checksum(self.folder / name) for name in _file_names(self.folder)}
        stored = Manifest(
            **{name: getattr(manifest, name) for name in Manifest.__slots__}
            | {"files": files, "created": datetime.now(UTC).isoformat(timespec="seconds")}
        )
        (self.folder / MANIFEST).write_text(_written(stored.to_json()), "utf-8")
        return stored

    def add_encoder(self, source: Path, part: str = "") -> None:
        """Put an encoder's folder into the bundle or a part of it, by hard links where the disk allows it."""
        shutil.copytree(source, self.folder / part / ENCODER, copy_function=_link_or_copy)

    def add_part(self, name: str, source: Path) -> str:
        """Put a whole bundle into this one, as `add_encoder` does, and return its manifest's checksum."""
        open_bundle(source)
        shutil.copytree(source, self.folder / name, copy_function=_link_or_copy)
        return file_checksum(self.folder / name / MANIFEST)

    def publish(self, *, replace: bool = False) -> Path:
        """Make the files durable and move the folder into place by one rename.

        Raises `BundleError` where the target exists and is not to be replaced.
        """
        if self.target.exists() and not replace:
            raise BundleError(f"There is already a bundle at {self.target}.")
        for path in [*self.folder.rglob("*"), self.folder]:
            _fsync(path)
        if self.target.exists():
            # NB: a folder cannot be renamed over a filled one; the old bundle steps aside for a moment.
            with tempfile.TemporaryDirectory(prefix=".old.", dir=self.target.parent) as aside:
                os.rename(self.target, Path(aside) / "bundle")
                os.rename(self.folder, self.target)
        else:
            os.rename(self.folder, self.target)
        _fsync(self.target.parent)
        return self.target


def keep_card(folder: Path, text: str) -> None:
    """Put a card into a bundle, or another one in its place, and its checksum among those of the files.

    Whoever opens the bundle meanwhile, or after a power cut, finds it whole: with its card or without.
    """
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    _replace(folder / MANIFEST, _with_card(manifest, None))
    _replace(folder / CARD, text)
    _replace(folder / MANIFEST, _with_card(manifest, file_checksum(folder / CARD)))


def identity(folder: Path) -> str:
    """Return the checksum of a bundle's manifest as it is without a card, whatever the card says."""
    try:
        text = _with_card(json.loads((folder / MANIFEST).read_text("utf-8")), None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return file_checksum(folder / MANIFEST)  # no manifest of ours is another one all the same
    return hashlib.sha256(text.encode()).hexdigest()


def _with_card(manifest: Mapping[str, Any], checksum: str | None) -> str:
    """Return a manifest's text with the card of that checksum, or with none; all else as it was written."""
    files = {name: known for name, known in manifest["files"].items() if name != CARD}
    content = {**manifest, "files": files | ({} if checksum is None else {CARD: checksum})}
    body = {key: value for key, value in content.items() if key != "checksum"}
    return _written(content | {"checksum": _content_checksum(body)})


def _replace(path: Path, text: str) -> None:
    draft = path.with_suffix(".part")
    draft.write_text(text, "utf-8")
    _fsync(draft)
    os.replace(draft, path)


def revise(source: Path, target: Path, *, thresholds: Sequence[float], abstain_below: float) -> Manifest:
    """Write a bundle that scores as `source` does and decides otherwise; return its manifest.

    It has no card, as it is another model. Files are hard links where the disk allows it. A bundle that lies
    at `target` already is replaced. Raises `BundleError` for a source that is missing or damaged.
    """
    manifest = open_bundle(source)
    with BundleDraft(target) as draft:
        shutil.copytree(
            source,
            draft.folder,
            copy_function=_link_or_copy,
            dirs_exist_ok=True,
            # NB: a manifest that is linked would be written through to the source.
            ignore=lambda folder, names: [MANIFEST, CARD] if Path(folder) == source else [],
        )
        revised = replace(manifest, thresholds=tuple(thresholds), abstain_below=abstain_below)
        written = draft.write_manifest(revised)
        draft.publish(replace=True)
    return written


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the bundle in `folder`; raises `BundleError` where it cannot be read."""
    try:
        content = json.loads((folder / MANIFEST).read_text("utf-8"))
        if fault := json_fault(content, DEPTH_ONLY):
            raise ValueError(f"what is at {fault.pointer or '/'} {fault.reason}")
        return Manifest.from_json(content)
    except FileNotFoundError as error:
        raise BundleError(f"There is no bundle at {folder}: it has no {MANIFEST}.") from error
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise BundleError(f"The manifest of the bundle at {folder} cannot be read: {error}.") from error


def open_bundle(folder: Path) -> Manifest:
    """Return the manifest of a bundle whose files are all there and unchanged, else raise `BundleError`."""
    manifest = read_manifest(folder)
    if GRAPH not in manifest.files and not manifest.parts:
        raise BundleError(f"The bundle at {folder} has no {GRAPH}.")
    for name, checksum in manifest.parts.items():
        _check_part(folder, name, checksum)
    for name, checksum in manifest.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise BundleError(f"The bundle at {folder} lacks its file {name!r}.")
        if file_checksum(path) != checksum:
            raise BundleError(f"The file {name!r} of the bundle at {folder} was changed or damaged.")
    return manifest


def _check_part(folder: Path, name: str, checksum: str) -> None:
    part = folder / name
    if Path(name).name != name or not (part / MANIFEST).is_file():
        raise BundleError(f"The bundle at {folder} lacks its part {name!r}.")
    if file_checksum(part / MANIFEST) != checksum:
        raise BundleError(f"The part {name!r} of the bundle at {folder} was changed or damaged.")
    if open_bundle(part).parts:
        raise BundleError(
            f"The part {name!r} of the bundle at {folder} has parts itself; only one level is read."
        )


def encoder_folder(folder: Path, manifest: Manifest, encoder_root: Path | None) -> Path | None:
    """Return the folder of the bundle's encoder, in the bundle or in `encoder_root`; None if in neither.

    Raises `BundleError` for a folder whose graph is another one: its vectors would mean something else.
    """
    if manifest.encoder is None:
        return None
    places = [folder / ENCODER, *(folder / part / ENCODER for part in manifest.parts)]
    if encoder_root is not None:
        places.append(encoder_root / manifest.encoder)
    found = next((place for place in places if (place / GRAPH).is_file()), None)
    if found is not None and file_checksum(found / GRAPH) != manifest.encoder:
        raise BundleError(f"The encoder at {found} was changed or damaged; prepare it again.")
    return found


def label_schema(folder: Path, manifest: Manifest) -> LabelSchema:
    """Return the schema of a bundle that labels whole documents; raises `BundleError` for another one."""
    if not isinstance(manifest.schema, LabelSchema):
        raise BundleError(f"The bundle at {folder} labels stretches of text, not whole documents.")
    return manifest.schema


def bundle_bytes(folder: Path) -> int:
    """Return the size in bytes of a bundle's files and its parts', without encoders that lie inside."""
    parts = [path for path in folder.iterdir() if (path / MANIFEST).is_file()]
    own = sum((folder / name).stat().st_size for name in _file_names(folder, manifest=True))
    return own + sum(bundle_bytes(part) for part in parts)


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file_names(folder: Path, *, manifest: bool = False) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    return [name for name in names if manifest or name != MANIFEST]


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
