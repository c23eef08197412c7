from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.conftest import FILLER, WORDS, make_dataset, write_csv
from tests.training.families.checkpoints import write_tiny_checkpoint
from tests.training.families.tuning import Params
from training.__main__ import main
from training.registry import FAMILIES, Family
from training.reportcard import measurement
from training.tasks import MULTI, SINGLE
from training.types import Int8Twin, Json, Task


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "_SINGLES", 60)


def compared(folder: Path, task: Task, *more: str) -> int:
    train = write_csv(folder / "train.csv", make_dataset(task, 90))
    test = write_csv(folder / "test.csv", make_dataset(task, 60, seed=1))
    columns = ["--text", "text", "--label", "label", *(["--multi", "|"] if task is MULTI else [])]
    files = ["--train", str(train), "--test", str(test), "--json", str(folder / "card.json")]
    return main(["compare", *files, *columns, *more])


def card(folder: Path) -> Json:
    return json.loads((folder / "card.json").read_text("utf-8"))


def test_the_card_shows_each_candidate_and_recommends_one(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["--set", "tfidf:short.max_features=5", "--bundles", str(tmp_path / "kept")]
    assert compared(tmp_path, task, "--families", "tfidf,tfidf:short", *settings) == 0
    found = card(tmp_path)
    assert (found["documents"], found["classes"]) == (60, 3)
    whole, short = found["candidates"]
    assert whole["evaluation"]["macro_f1"] > short["evaluation"]["macro_f1"]
    assert len(whole["evaluation"]["per_class"]) == 3
    assert whole["speed"].keys() == {"p50_ms", "p99_ms", "texts_per_s", "threads"}
    assert whole["reliability"]
    assert (whole["labelled"], whole["explainable"], short["params"]) == (90, True, {"max_features": 5})
    assert whole["train_seconds"] > 0
    assert found["recommendation"]["name"] == "tfidf"
    assert found["machine"].keys() == {"processor", "cores", "load", "threads"}
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"tfidf", "tfidf-short"}
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split()[:2] == ["candidate", "macro-F1"]
    assert shown[-1] == found["recommendation"]["reason"]


def test_an_encoder_is_measured_in_int8_and_fp32_and_leaves_as_torchscript(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*FILLER, *(word for group in WORDS.values() for word in group)]
    checkpoint = write_tiny_checkpoint(tmp_path / "checkpoint", words)
    places = ["--cache", str(tmp_path / "cache"), "--bundles", str(tmp_path / "kept")]
    encoder = ["--encoder", str(checkpoint), "--set", "embedding:fp32.precision=fp32"]
    assert compared(tmp_path, SINGLE, "--families", "embedding,embedding:fp32", *encoder, *places) == 0
    small, full = card(tmp_path)["candidates"]
    assert (small["problem"], full["problem"]) == ("", "")
    assert (small["precision"], full["precision"]) == ("int8", "fp32")
    assert full["encoder_bytes"] > small["encoder_bytes"] > 0
    assert full["explainable"] is False
    assert "training starts from kept vectors" in full["notes"][-1]
    assert "The encoder is INT8: mean cosine" in small["notes"][0]
    assert not any("INT8" in note for note in full["notes"])
    (pair,) = card(tmp_path)["quantised"]
    assert (pair["int8"], pair["fp32"]) == ("embedding", "embedding:fp32")
    capsys.readouterr()

    file, bundle = tmp_path / "model.pt", tmp_path / "kept" / "embedding-fp32"
    texts = ["--texts", str(tmp_path / "test.csv"), "--out", str(file)]
    assert main(["export", str(bundle), "--format", "torchscript", *texts]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["inputs"], told["texts"], told["note"]) == (["input_ids", "attention_mask"], 60, "")
    assert told["max_difference"] < 1e-4
    assert told["same_decisions"] == 1.0


def test_a_model_tried_in_int8_shows_both_graphs(
    params: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [part for key in params for part in ("--set", f"transformer.{key}={json.dumps(params[key])}")]
    assert compared(tmp_path, SINGLE, "--families", "tfidf,transformer", *settings) == 0
    assert "INT8 / FP32" not in capsys.readouterr().out
    settings += ["--set", "transformer.int8=true"]
    tuning = ["--tuning", str(write_csv(tmp_path / "tuning.csv", make_dataset(SINGLE, 120, seed=2)))]
    assert compared(tmp_path, SINGLE, "--families", "tfidf,transformer", *settings, *tuning) == 0
    plain, tried = card(tmp_path)["candidates"]
    assert (plain["twin"], tried["problem"]) == (None, "")
    twin = Int8Twin.from_json(tried["twin"])
    assert (twin.documents, twin.held_out) == (120, True)
    assert twin.int8.graph_bytes < twin.fp32.graph_bytes
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "INT8 / FP32" in line]
    assert line.startswith(f"transformer: INT8 / FP32: macro-F1 {twin.int8.macro_f1:.3f} / ")
    assert "on 120 held-out texts, p50 " in line
    assert f"{twin.int8.graph_bytes / 1e6:.1f} / {twin.fp32.graph_bytes / 1e6:.1f} MB" in line


def test_a_family_that_fails_is_a_row_with_its_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = Family("absent", "Absent", "training.no_such_module:Model", "absent", help="It is not there.")
    monkeypatch.setitem(FAMILIES, "absent", absent)
    assert compared(tmp_path, SINGLE, "--families", "absent,tfidf,tfidf:bad", "--set", "tfidf:bad.C=-1") == 0
    absent, whole, bad = card(tmp_path)["candidates"]
    assert "pip install '.[absent]'" in absent["problem"]
    assert "C must not be negative" in bad["problem"]
    assert absent["evaluation"] is None
    assert whole["problem"] == ""
    assert card(tmp_path)["recommendation"]["name"] == "tfidf"
    assert "absent: Absent needs the package" in capsys.readouterr().out


def test_constraints_that_nothing_satisfies_say_which_rules_out_which(tmp_path: Path) -> None:
    assert (
        compared(tmp_path, SINGLE, "--families", "tfidf", "--latency-ms", "0.000001", "--size-mb", "0.001")
        == 0
    )
    found = card(tmp_path)["recommendation"]
    assert found["name"] is None
    assert len(found["ruled_out"]["tfidf"]) == 2
    assert "No candidate can be chosen. tfidf: a text takes" in found["reason"]


def test_the_labels_at_hand_are_what_is_trained_on(tmp_path: Path) -> None:
    assert compared(tmp_path, SINGLE, "--families", "tfidf", "--labels", "30") == 0
    assert card(tmp_path)["candidates"][0]["labelled"] == 30
    assert card(tmp_path)["constraints"]["labels"] == 30


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--families", "wings"], "There is no 'wings'; choose one of"),
        (["--families", "tfidf,tfidf"], "tell them apart as family:variant"),
        (["--families", "tfidf", "--set", "C=1"], "write NAME.KEY=VALUE"),
        (["--families", "tfidf", "--set", "other.C=1"], "NAME being one of tfidf"),
        (["--families", "tfidf", "--labels", "0"], "--labels must be at least 1"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert compared(tmp_path, SINGLE, *arguments) == 2
    assert sentence in capsys.readouterr().err
