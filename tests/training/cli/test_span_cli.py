"""The commands for spans: train from files, predict and measure by the bundle alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.families.checkpoints import write_tiny_checkpoint
from tests.training.families.spans_made import FILLER, NAMES, span_data
from training.__main__ import main

KEYS = {"entity_f1", "precision", "recall", "per_type", "ece", "fit_s", "words", "parity"}


def write_jsonl(path: Path, documents: int, seed: int) -> Path:
    data = span_data(documents, seed=seed)
    lines = (
        json.dumps(
            {
                "text": text,
                "spans": [{"start": one.start, "end": one.end, "label": one.label} for one in spans],
            },
            ensure_ascii=False,
        )
        for text, spans in zip(data.texts, data.spans, strict=True)
    )
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = " ".join(name for some in NAMES.values() for name in some).lower().split()
    plain = [word.replace("ö", "o").replace("ë", "e") for word in (*names, *FILLER, ".")]
    write_tiny_checkpoint(tmp_path / "checkpoint", plain)
    write_jsonl(tmp_path / "train.jsonl", 90, seed=0)
    write_jsonl(tmp_path / "test.jsonl", 40, seed=1)
    return tmp_path


def add_labels(folder: Path) -> None:
    """Give the texts of both files labels of the whole: whether they are about a house."""
    for name in ("train", "test"):
        rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()]
        rows = [row | {"labels": ["home"] if "house" in row["text"] else []} for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")


def train(folder: Path, *more: str) -> int:
    settings = {"checkpoint": folder / "checkpoint", "learning_rate": "1e-2", "epochs": "20"}
    return main(
        [
            "train",
            "--task",
            "span",
            *("--train", str(folder / "train.jsonl"), "--test", str(folder / "test.jsonl")),
            *("--family", "token_classifier", "--out", str(folder / "bundle")),
            *("--json", str(folder / "out.json")),
            *(part for key, value in settings.items() for part in ("--set", f"{key}={value}")),
            *more,
        ]
    )


def test_train_predict_and_bench_work_on_files_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(folder) == 0
    figures = json.loads((folder / "out.json").read_text("utf-8"))
    assert figures.keys() >= KEYS
    assert figures["entity_f1"] > 0.7
    assert set(figures["per_type"]) == {"per", "loc"}
    capsys.readouterr()

    files = [str(folder / "bundle"), str(folder / "test.jsonl"), "--text", "text"]
    assert main(["predict", *files]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 40
    found = [span for line in lines for span in line["spans"]]
    assert found
    for line in lines:
        for span in line["spans"]:
            said = line["text"][span["start"] : span["end"]]
            assert said
            assert said == said.strip()

    assert main(["bench", *files, "--json", str(folder / "bench.json")]) == 0
    measured = json.loads((folder / "bench.json").read_text("utf-8"))
    assert measured.keys() >= {"single_p50_ms", "bundle_bytes"}


def test_a_joint_task_learns_and_tells_labels_of_the_whole_text_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_labels(folder)
    slowly = ("--set", "learning_rate=3e-3", "--set", "epochs=60")
    assert train(folder, "--task", "joint", *slowly) == 0
    figures = json.loads((folder / "out.json").read_text("utf-8"))
    assert figures["labels"].keys() >= {"macro_f1", "micro_f1"}
    assert figures["labels"]["macro_f1"] > 0.6  # it is 0.67 on processors without AVX-512
    assert figures["entity_f1"] > 0.5
    capsys.readouterr()
    assert main(["predict", str(folder / "bundle"), str(folder / "test.jsonl")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {label for line in lines for label in line["labels"]} == {"home"}
    assert set(lines[0]["scores"]) == {"home"}

    (folder / "test.jsonl").write_text('{"text": "Anna", "labels": ["per"], "spans": []}\n', "utf-8")
    assert train(folder, "--task", "joint", *slowly) == 2
    assert "a label has one kind" in capsys.readouterr().err


def test_a_limit_takes_the_first_texts_of_a_shuffle(folder: Path) -> None:
    assert train(folder, "--limit", "30", "--seed", "3") == 0
    assert json.loads((folder / "out.json").read_text("utf-8"))["labelled"] == 30


def test_a_broken_file_is_a_sentence_with_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "train.jsonl").write_text(
        '{"text": "Anna", "spans": [{"start": 2, "end": 9, "label": "per"}]}\n'
    )
    assert train(folder) == 2
    said = capsys.readouterr().err
    assert "ends behind the text" in said
    assert "1" in said


def test_families_stand_side_by_side_by_label_as_well(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tagger = {"checkpoint": folder / "checkpoint", "learning_rate": "1e-2", "epochs": "20"}
    asked = [
        *("compare", "--task", "span", "--families", "fast_spans,token_classifier,token_classifier:broken"),
        *("--train", str(folder / "train.jsonl"), "--test", str(folder / "test.jsonl")),
        *("--encoder", str(folder / "checkpoint"), "--cache", str(folder / "cache")),
        *("--set", "token_classifier:broken.checkpoint=nowhere/at-all", "--json", str(folder / "card.json")),
        *(f"--set=token_classifier.{key}={value}" for key, value in tagger.items()),
    ]
    assert main(asked) == 0
    card = json.loads((folder / "card.json").read_text("utf-8"))
    assert (card["documents"], card["classes"]) == (40, 2)
    fast, tuned, broken = card["candidates"]
    assert tuned["evaluation"]["micro_f1"] > 0.7
    assert fast["evaluation"]["judged_by"] == "micro_f1"
    assert fast["encoder_bytes"] > 0
    assert tuned["encoder_bytes"] == 0
    assert any("128 word pieces take" in note for note in fast["notes"])
    assert "nowhere/at-all" in broken["problem"]
    assert card["recommendation"]["name"] in ("fast_spans", "token_classifier")
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split()[:3] == ["candidate", "entity", "F1"]
    by_label = [line.split() for line in shown[-3:]]
    assert by_label[0] == ["label", "support", "fast_spans", "token_classifier"]
    assert [line[0] for line in by_label[1:]] == ["loc", "per"]
    reports = {one["key"]: one for one in tuned["evaluation"]["per_class"]}
    assert by_label[1][3] == f"{reports['loc']['f1']:.3f}"


def test_joint_models_are_compared_by_both_halves_of_their_answers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_labels(folder)
    asked = [
        *("compare", "--task", "joint", "--families", "fast_spans,fast_spans:again"),
        *("--train", str(folder / "train.jsonl"), "--test", str(folder / "test.jsonl")),
        *("--encoder", str(folder / "checkpoint"), "--cache", str(folder / "cache")),
        *("--json", str(folder / "card.json")),
    ]
    assert main(asked) == 0
    card = json.loads((folder / "card.json").read_text("utf-8"))
    assert (card["documents"], card["classes"]) == (40, 3)
    found = card["candidates"][0]["evaluation"]
    assert found["judged_by"] == "both"
    assert card["recommendation"]["name"] in ("fast_spans", "fast_spans:again")
    shown = capsys.readouterr().out.splitlines()
    assert f"(spans {found['micro_f1']:.3f}, labels {found['macro_f1']:.3f})" in shown[1]
    assert [line.split()[0] for line in shown[-3:]] == ["home", "loc", "per"]


def test_a_joint_task_is_simulated_in_words_and_texts(folder: Path) -> None:
    add_labels(folder)
    asked = [
        *("simulate", "--task", "joint", "--strategy", "both_margins", "--text", "text"),
        *("--train", str(folder / "train.jsonl"), "--test", str(folder / "test.jsonl")),
        *("--encoder", str(folder / "checkpoint"), "--cache", str(folder / "cache")),
        *("--seed-labels", "30", "--batch", "20", "--budget", "70", "--seeds", "0-1"),
        *("--json", str(folder / "curve.json")),
    ]
    assert main(asked) == 0
    content = json.loads((folder / "curve.json").read_text("utf-8"))
    assert [len(curve["points"]) for curve in content["curves"]] == [3, 3]
    assert [point["labels"] for point in content["mean"]] == [30, 50, 70]
    words = [point["words"] for point in content["mean"]]
    assert words == sorted(words)
    for point in content["mean"]:
        assert point["joint_f1"] == pytest.approx((point["entity_f1"] + point["macro_f1"]) / 2)
    assert main([*asked, "--strategy", "margin"]) == 2


def test_conll_cannot_hold_labels_of_whole_texts_and_says_what_can(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "train.conll").write_text("Anna\tB-per\n", "utf-8")
    for command in ("train", "simulate", "compare"):
        asked = [
            *(command, "--task", "joint", "--train", str(folder / "train.conll")),
            *("--test", str(folder / "test.jsonl"), "--json", str(folder / "out.json")),
        ]
        asked += {
            "train": ["--family", "token_classifier", "--out", str(folder / "bundle")],
            "simulate": ["--strategy", "random"],
            "compare": ["--families", "token_classifier"],
        }[command]
        assert main(asked) == 2
        assert "give JSONL" in capsys.readouterr().err


def test_a_bundle_teaches_a_fast_family_of_spans(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(folder) == 0
    write_jsonl(folder / "pool.jsonl", 120, seed=3)
    write_jsonl(folder / "tuning.jsonl", 120, seed=4)
    asked = [
        *("distil", str(folder / "bundle"), "--pool", str(folder / "pool.jsonl")),
        *("--test", str(folder / "test.jsonl"), "--family", "fast_spans"),
        *("--encoder", str(folder / "checkpoint"), "--cache", str(folder / "cache")),
        *("--out", str(folder / "student"), "--json", str(folder / "distil.json")),
    ]
    assert main(asked) == 2
    assert "give --train and --tuning" in capsys.readouterr().err
    asked += ["--train", str(folder / "train.jsonl"), "--tuning", str(folder / "tuning.jsonl")]
    assert main(asked) == 0
    card = json.loads((folder / "distil.json").read_text("utf-8"))
    names = [one["name"] for one in card["candidates"]]
    assert names == ["teacher", "fast_spans:alone", "fast_spans:distilled"]
    assert all(one["evaluation"]["judged_by"] == "micro_f1" for one in card["candidates"])
    assert 0 < card["taught"] <= 120
    (note,) = [note for note in card["candidates"][2]["notes"] if "teacher" in note]
    assert "with it" in note
    assert main(["predict", str(folder / "student"), str(folder / "test.jsonl")]) == 0
