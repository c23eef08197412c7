from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder
from training.__main__ import main
from training.bundles.predictor import Predictor
from training.families.zero_shot.model import ZeroShotModel
from training.runs.pipeline import train_and_package
from training.tasks import MULTI, SINGLE
from training.types import Dataset, LabelSchema, LabelSpec, Pool, RunSpec, Task, TrainingError

LABELS = (
    LabelSpec("1", "card_arrival"),
    LabelSpec("2", "exchangeRate", "currency euro dollar"),
    LabelSpec("3", "transfer"),
)
TEXTS = ("where is the arrival of my card", "euro dollar currency today", "please transfer it")


def dataset(task: Task, labels: tuple[LabelSpec, ...] = LABELS, *, pool: Pool | None = None) -> Dataset:
    targets = np.zeros((0, len(labels)), np.float32)
    return Dataset(LabelSchema(task, labels), (), targets, pool)


def fitted(data: Dataset, **settings: float) -> ZeroShotModel:
    return ZeroShotModel(embedder=WordEmbedder(), **settings).fit(data, valid=data)  # type: ignore[arg-type]


def test_names_and_descriptions_alone_find_the_label(task: Task) -> None:
    scores = fitted(dataset(task)).predict_proba(TEXTS)
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


def test_a_text_about_two_labels_is_near_to_both_and_one_about_none_has_none() -> None:
    labels = tuple(LabelSpec(name, name) for name in ("card", "transfer", "euro"))
    both, none = fitted(dataset(MULTI, labels)).predict_proba(("card transfer", "nothing like it"))
    assert both[:2].min() > both[2]
    assert none.max() < 0.5


def test_two_labels_do_not_exclude_each_other() -> None:
    labels = (LabelSpec("1", "card"), LabelSpec("2", "transfer"))
    model = fitted(dataset(MULTI, labels))
    both, card, transfer = model.predict_proba(("card transfer", "card", "transfer"))
    assert both[0] > transfer[0]
    assert both[1] > card[1]


def test_a_description_decides_where_the_name_says_nothing() -> None:
    bare = (LabelSpec("1", "A1"), LabelSpec("2", "B2"))
    told = (LabelSpec("1", "A1", "lost plastic"), LabelSpec("2", "B2", "the euro rate"))
    texts = ("plastic lost yesterday", "rate of euro")
    assert fitted(dataset(SINGLE, told)).predict_proba(texts).argmax(axis=1).tolist() == [0, 1]
    told_less = fitted(dataset(SINGLE, bare)).predict_proba(texts)
    assert told_less.max() < fitted(dataset(SINGLE, told)).predict_proba(texts).max()


def test_labels_of_documents_are_not_looked_at(task: Task) -> None:
    plain = dataset(task)
    wrong = replace(plain, texts=TEXTS, targets=np.eye(3, dtype=np.float32)[[1, 2, 0]])
    np.testing.assert_array_equal(fitted(plain).predict_proba(TEXTS), fitted(wrong).predict_proba(TEXTS))


def test_the_pool_holds_back_a_name_that_is_near_to_every_text(task: Task) -> None:
    labels = (*LABELS, LabelSpec("4", "please"))
    pool = Pool(tuple(f"please please please {i}" for i in range(150)))
    vectors = WordEmbedder().embed([f"please {text}" for text in TEXTS])
    without = fitted(dataset(task, labels)).head_.logits(vectors)
    with_pool = fitted(dataset(task, labels, pool=pool)).head_.logits(vectors)
    ahead = [logits[:, :3].max(axis=1) - logits[:, 3] for logits in (with_pool, without)]
    assert (ahead[0] > ahead[1]).all()


def test_a_small_pool_says_nothing(task: Task) -> None:
    model = fitted(dataset(task, pool=Pool(TEXTS)))
    assert model.details_ == {"levels_from": "names alone"}
    np.testing.assert_array_equal(model.predict_proba(TEXTS), fitted(dataset(task)).predict_proba(TEXTS))


def test_an_empty_dataset_becomes_a_bundle_that_answers_alike(task: Task, tmp_path: Path) -> None:
    data = dataset(task)
    report = train_and_package(
        RunSpec("zero_shot"),
        data,
        tmp_path / "bundle",
        tuning=data,
        reporting=data,
        embedder=WordEmbedder(),
    )
    assert report.labelled == 0
    found = Predictor(report.bundle).predict_raw(TEXTS, embedder=WordEmbedder())
    np.testing.assert_allclose(found, fitted(data).predict_proba(TEXTS), atol=1e-5)


def test_one_label_is_enough_for_multi_label_and_too_few_for_single() -> None:
    one = LABELS[:1]
    assert fitted(dataset(MULTI, one)).predict_proba(TEXTS).shape == (3, 1)
    with pytest.raises(TrainingError, match="There are 1 labels; name at least 2"):
        fitted(dataset(SINGLE, one))


def test_labels_of_one_name_are_scored_alike_and_never_nan(task: Task) -> None:
    twins = (LabelSpec("1", "card"), LabelSpec("2", "card"))
    scores = fitted(dataset(task, twins)).predict_proba(("card", ""))
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[:, 0], scores[:, 1], atol=1e-6)


def test_the_scale_sharpens_and_must_not_be_negative() -> None:
    mild, sharp = (fitted(dataset(SINGLE), scale=s).predict_proba(TEXTS) for s in (2.0, 40.0))
    assert (sharp.max(axis=1) > mild.max(axis=1)).all()
    with pytest.raises(TrainingError, match="scale must not be negative"):
        fitted(dataset(SINGLE), scale=-1.0)


def test_another_encoder_and_a_foreign_folder_are_refused(tmp_path: Path) -> None:
    class Other(WordEmbedder):
        fingerprint = "f" * 64

    fitted(dataset(SINGLE)).save(tmp_path)
    with pytest.raises(TrainingError, match="needs the vectors of the encoder 000000000000"):
        ZeroShotModel.load(tmp_path, embedder=Other())
    (tmp_path / "names.json").write_text("{}", "utf-8")
    with pytest.raises(TrainingError, match="holds no model of the zero-shot family"):
        ZeroShotModel.load(tmp_path, embedder=WordEmbedder())


@pytest.fixture
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The command line's folder, in which the packaged encoder is kept between runs of the tests."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "encoders").symlink_to(request.config.cache.mkdir("winnow-encoders"))
    return folder


def train(folder: Path, family: str, *more: str) -> int:
    (folder / "empty.csv").write_text("text,label\n", "utf-8")
    rows = [
        "text,label",
        "My card is gone,lost_card",
        "What is the euro at?,rate",
        "Was it stolen?,lost_card",
    ]
    # Below ten documents there would be no figure.
    (folder / "test.csv").write_text("\n".join([rows[0], *(4 * rows[1:])]), "utf-8")
    files = ["--train", str(folder / "empty.csv"), "--test", str(folder / "test.csv")]
    columns = ["--text", "text", "--label", "label", "--family", family]
    places = ["--out", str(folder / "bundle"), "--json", str(folder / "out.json")]
    return main(["train", *files, *columns, *places, *more])


def test_the_command_line_starts_from_a_header_alone(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "labels.txt").write_text(
        "lost_card: a card is lost or stolen\nrate: exchange rates\n", "utf-8"
    )
    given = ["--labels", str(tmp_path / "labels.txt"), "--pool", str(tmp_path / "test.csv")]
    assert train(tmp_path, "zero_shot", "--cache", str(cache), *given) == 0
    figures = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert (figures["labelled"], figures["macro_f1"]) == (0, 1.0)
    assert Predictor(tmp_path / "bundle").schema.labels[0].description == "a card is lost or stolen"


def test_a_family_that_needs_labels_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, "tfidf") == 2
    assert "no labelled document" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("label,description\na,x\na,y\n", "row 3: the label 'a' is there already"),
        ("label,description\n,x\n", "row 2: there is no label"),
        ("label\n", "names no label"),
        ("label,description\nrate,x\n", "'lost_card', which is not in the schema"),
    ],
)
def test_a_wrong_file_of_labels_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, sentence: str
) -> None:
    (tmp_path / "labels.csv").write_text(content, "utf-8")
    assert train(tmp_path, "tfidf", "--labels", str(tmp_path / "labels.csv")) == 2
    assert sentence in capsys.readouterr().err
