from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.conftest import make_dataset, write_csv
from training.__main__ import main
from training.bundles.bundle import read_manifest, revise
from training.tasks import MULTI, SINGLE
from training.types import Task

KEYS = {"macro_f1", "micro_f1", "macro_f1_at_half", "per_class", "fit_s", "bundle_bytes", "parity"}


def train_arguments(folder: Path, task: Task, *more: str) -> list[str]:
    train = write_csv(folder / "train.csv", make_dataset(task, 60))
    test = write_csv(folder / "test.csv", make_dataset(task, 30, seed=1))
    columns = ["--text", "text", "--label", "label", *(["--multi", "|"] if task is MULTI else [])]
    places = ["--out", str(folder / "bundle"), "--json", str(folder / "out.json")]
    return [
        "train",
        "--train",
        str(train),
        "--test",
        str(test),
        *columns,
        "--family",
        "tfidf",
        *places,
        *more,
    ]


def test_train_predict_and_bench_work_on_files_alone(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(train_arguments(tmp_path, task)) == 0
    figures = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert figures.keys() >= KEYS
    assert figures["macro_f1"] > 0.8
    assert [label["key"] for label in figures["per_class"]] == ["card", "rate", "transfer"]
    capsys.readouterr()

    files = [str(tmp_path / "bundle"), str(tmp_path / "test.csv"), "--text", "text"]
    assert main(["predict", *files]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 30
    assert lines[0].keys() == {"text", "labels", "scores", "abstained"}
    assert not any(line["abstained"] for line in lines)

    assert main(["bench", *files, "--json", str(tmp_path / "bench.json")]) == 0
    measured = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert measured.keys() >= {"single_p50_ms", "single_p99_ms", "texts_per_s", "bundle_bytes", "parity"}


def test_a_text_that_a_bundle_is_not_sure_enough_of_gets_no_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(train_arguments(tmp_path, SINGLE)) == 0
    manifest = read_manifest(tmp_path / "bundle")
    revise(tmp_path / "bundle", tmp_path / "shy", thresholds=manifest.thresholds, abstain_below=1.0)
    told = {}
    for folder in ("bundle", "shy"):
        capsys.readouterr()
        assert main(["predict", str(tmp_path / folder), str(tmp_path / "test.csv"), "--text", "text"]) == 0
        told[folder] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    shy = [line for line in told["shy"] if line["abstained"]]
    assert shy
    assert [line["labels"] for line in shy] == [[]] * len(shy)
    assert [line["scores"] for line in told["shy"]] == [line["scores"] for line in told["bundle"]]


def test_training_again_replaces_the_bundle(tmp_path: Path) -> None:
    arguments = train_arguments(tmp_path, SINGLE)
    assert main(arguments) == 0
    assert main([*arguments, "--set", "C=2.5"]) == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (["--set", "wings=2"], "no parameter 'wings'"),
        (["--set", "C=lots"], "'C' of 'tfidf' cannot be 'lots'"),
        (["--set", "nonsense"], "needs key=value"),
        (["--text", "body"], "no column 'body'; it has text, label"),
        (["--train", "missing.csv"], "missing.csv"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], sentence: str
) -> None:
    assert main(train_arguments(tmp_path, SINGLE, *change)) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert sentence in error[-1]
    assert not (tmp_path / "bundle").exists()


def test_a_folder_without_a_bundle_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(tmp_path / "test.csv", make_dataset(SINGLE, 3))
    assert main(["predict", str(tmp_path), str(tmp_path / "test.csv"), "--text", "text"]) == 2
    assert "There is no bundle" in capsys.readouterr().err


def test_an_empty_label_is_named_with_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = train_arguments(tmp_path, SINGLE)
    (tmp_path / "train.csv").write_text("text,label\nlost,card\nfound,\n", "utf-8")
    assert main(arguments) == 2
    assert "row 3: the label is empty" in capsys.readouterr().err
