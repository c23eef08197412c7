"""A model from what a run asks for, which refuses parameters that it does not have, or from a bundle."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_type_hints

from training.bundles.bundle import ORIGINAL, Manifest
from training.preprocess.word_encoder import WordEncoder
from training.protocol import SpanModel, TextModel
from training.registry import FAMILIES, entry
from training.types import Embedder, RunSpec, TrainingError

# The pipeline gives these to a constructor, so a person cannot set them.
_GIVEN = ("seed", "embedder", "encoder", "previous", "scratch")


def build_model(spec: RunSpec, embedder: Embedder | None = None) -> TextModel:
    """Return the unfitted model of `spec`.

    A constructor gets `seed`, `embedder` where its registry entry needs one, `previous` and `scratch` where
    it takes them, and the parameters. Raises `TrainingError` for parameters that are unknown or of
    another type.
    """
    family = entry(FAMILIES, spec.family)
    given: dict[str, Any] = {}
    if family.reads_vectors:
        if embedder is None:
            raise TrainingError(f"{family.title} needs an encoder, and none was given.")
        given["embedder"] = embedder
    model: TextModel = _built(spec, given)
    return model


def build_span_model(spec: RunSpec, encoder: WordEncoder | None = None) -> SpanModel:
    """Return the unfitted model of `spec`, as `build_model` does for documents."""
    family = entry(FAMILIES, spec.family)
    if not family.tags_words:
        raise TrainingError(f"{family.title} labels whole documents; choose a family that tags words.")
    given: dict[str, Any] = {}
    if family.reads_word_vectors:
        if encoder is None:
            raise TrainingError(f"{family.title} needs an encoder, and none was given.")
        given["encoder"] = encoder
    model: SpanModel = _built(spec, given)
    return model


def _built(spec: RunSpec, given: dict[str, Any]) -> Any:
    """Return what the family's constructor makes of the run's parameters and of what it is given besides."""
    check_parameters(spec)
    constructor = entry(FAMILIES, spec.family).load()
    known = inspect.signature(constructor).parameters
    given["seed"] = spec.seed
    given |= {name: getattr(spec, name) for name in ("previous", "scratch") if name in known}
    return constructor(**given, **spec.params)


def check_parameters(spec: RunSpec) -> None:
    """Raise `TrainingError` for parameters that are unknown or of another type, before anything is made."""
    constructor = entry(FAMILIES, spec.family).load()
    choices = [name for name in inspect.signature(constructor).parameters if name not in _GIVEN]
    hints = get_type_hints(constructor.__init__)
    for name, value in spec.params.items():
        if name not in choices:
            raise TrainingError(
                f"The family {spec.family!r} has no parameter {name!r}; it has {', '.join(choices)}."
            )
        if not _fits(value, hints.get(name)):
            raise TrainingError(f"The parameter {name!r} of {spec.family!r} cannot be {value!r}.")


def read_original(bundle: Path, manifest: Manifest) -> TextModel:
    """Return the trained model that a bundle keeps; raises `TrainingError` where it has none to be read."""
    folder = bundle / ORIGINAL
    if not folder.is_dir():
        raise TrainingError(
            f"The bundle at {bundle} keeps no PyTorch weights. Bundles of fine-tuned transformers do; one of "
            "an earlier version has to be trained again."
        )
    family: Any = entry(FAMILIES, manifest.family).load()
    try:
        model: TextModel = family.load(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise TrainingError(f"The model at {folder} cannot be read ({error}); train it again.") from error
    return model


def _fits(value: object, hint: Any) -> bool:
    """Tell whether a value suits one of the plain types; a family checks parameters of other types itself."""
    if hint is bool or isinstance(value, bool):
        return hint not in (int, float, str) and (hint is not bool or isinstance(value, bool))
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, hint) if hint in (int, str) else True
