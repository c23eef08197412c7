"""What a model that only guesses may speak about."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.training.conftest import WordEmbedder, make_dataset
from training.bundles.bundle import Manifest
from training.bundles.familiar import Familiar
from training.bundles.predictor import Predictor
from training.runs.pipeline import train_and_package
from training.tasks import MULTI, SINGLE
from training.types import Dataset, RunSpec, Task

NAMES = np.eye(3, 4, dtype=np.float32)  # (labels, dimension)


def vector(*near: float) -> np.ndarray:
    return np.array([[*near, 0.0]], np.float32)


@pytest.mark.parametrize(
    ("near", "is_known"),
    [
        ((0.36, 0.1, 0.0), True),
        ((0.34, 0.1, 0.0), False),  # like nothing that it knows
        ((0.60, 0.59, 0.0), False),  # two names are as near as each other
        ((0.60, 0.57, 0.0), True),
    ],
)
def test_a_text_is_known_by_the_nearest_name_and_its_lead(near: tuple[float, ...], is_known: bool) -> None:
    (found,) = Familiar(NAMES).knows(SINGLE, ["text"], vector(*near))
    assert bool(found) is is_known


def test_two_labels_may_be_equally_near_where_both_can_apply() -> None:
    (found,) = Familiar(NAMES).knows(MULTI, ["text"], vector(0.6, 0.59, 0.0))
    assert found


def test_a_text_in_a_language_that_the_encoder_cuts_to_pieces_is_not_known(tmp_path: Path) -> None:
    """Word pieces of an English vocabulary: other letters are known one by one, if at all."""
    vocabulary = {"[UNK]": 0, "card": 1, "lost": 2, **{f"##{c}": 3 + i for i, c in enumerate("абвгд")}}
    vocabulary |= {c: 20 + i for i, c in enumerate("абвгд")}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    words = Familiar(NAMES, tmp_path / "tokenizer.json")
    near = np.repeat(vector(0.9, 0.1, 0.0), 4, axis=0)
    texts = ["lost card", "абвгд дгвба", "xxxxx", "lost card lost card аб"]
    assert words.knows(SINGLE, texts, near).tolist() == [True, False, False, True]


def guessing(folder: Path, data: Dataset, documents: int, family: str = "embedding") -> Predictor:
    rows = Dataset(data.schema, data.texts[:documents], data.targets[:documents])
    none = Dataset(data.schema, (), data.targets[:0])
    given = {"tuning": none, "reporting": none, "embedder": WordEmbedder()}
    return Predictor(train_and_package(RunSpec(family), rows, folder / "one", **given).bundle)


def test_a_bundle_of_names_alone_is_silent_about_strange_texts(task: Task, tmp_path: Path) -> None:
    predictor = guessing(tmp_path, make_dataset(task, 90), 0)
    assert not predictor.manifest.calibrated
    about = f"I am writing about {predictor.schema.labels[0].name}."
    known = predictor.knows([about, "zzzz qqqq"], embedder=WordEmbedder())
    assert known.tolist() == [True, False]
    assert predictor.knows([], embedder=WordEmbedder()).tolist() == []


@pytest.mark.parametrize(
    ("family", "documents", "calibrated", "speaks"),
    [
        ("embedding", 0, False, False),
        ("embedding", 1, False, True),  # it learned from people, so names no longer say what it knows
        ("embedding", 49, False, True),
        ("embedding", 50, True, True),
        ("zero_shot", 49, False, False),
        ("zero_shot", 50, True, True),
    ],
)
def test_names_speak_about_strange_texts_once_labels_calibrate_them(
    tmp_path: Path, family: str, documents: int, calibrated: bool, speaks: bool
) -> None:
    predictor = guessing(tmp_path, make_dataset(SINGLE, 90), documents, family)
    assert predictor.manifest.calibrated is calibrated
    assert (Familiar.FILE in predictor.manifest.files) is not speaks
    assert predictor.knows(["zzzz qqqq"], embedder=WordEmbedder()).tolist() == [speaks]


def test_a_manifest_of_before_tells_by_its_method_whether_it_is_calibrated(tmp_path: Path) -> None:
    content = guessing(tmp_path, make_dataset(SINGLE, 90), 60).manifest.to_json()
    for method, expected in (("temperature", True), ("none", False)):
        old = {key: value for key, value in content.items() if key not in ("calibrated", "checksum")}
        old["calibration"] = {"method": method, "temperature": 1.0}
        text = json.dumps(old, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        old["checksum"] = hashlib.sha256(text.encode()).hexdigest()
        assert Manifest.from_json(old).calibrated is expected
