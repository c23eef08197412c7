from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder
from tests.training.llm.conftest import KEY, Act, Server, after, labels, replies, says
from training.__main__ import main
from training.cli import llm
from training.llm.prompt import Example, similar

ROWS = ["text,label", "my card,card", "which euro,rate", "your card,card"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(llm.KEY, KEY)
    (tmp_path / "test.csv").write_text("\n".join(ROWS), "utf-8")
    (tmp_path / "labels.txt").write_text("card: anything plastic\nrate\n", "utf-8")
    return tmp_path


def command(server: Server, folder: Path, *more: str) -> int:
    asked = [str(folder / "test.csv"), "--text", "text", "--labels", str(folder / "labels.txt")]
    where = ["--endpoint", server.url, "--model", "m", "--json", str(folder / "out.json")]
    return main(["llm", *asked, *where, *more])


def written(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "out.json").read_text("utf-8"))
    return found


def test_a_file_is_answered_and_measured(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row.replace(",", f" {number},") for number in range(4) for row in ROWS[1:]]
    (folder / "test.csv").write_text("\n".join([ROWS[0], *rows]), "utf-8")
    said = {"my card": labels("card"), "which euro": labels("rate"), "your card": says(None, refusal="no")}
    server.choose = lambda text: said[text[:-2]]
    prices = ["--input-price", "1", "--output-price", "2"]
    assert command(server, folder, "--label", "label", *prices) == 0
    found = written(folder)
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)  # the refusals count as misses of “card”
    assert found["outcomes"] == {"answered": 8, "refused": 4}
    assert found["cost"] == pytest.approx(12 * 120 / 1e6)
    assert found["single_p50_ms"] > 0
    assert [row["labels"] for row in found["answers"]] == 4 * [["card"], ["rate"], []]
    assert KEY not in capsys.readouterr().out + (folder / "out.json").read_text("utf-8")
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_three_texts_are_too_few_for_a_figure(server: Server, folder: Path) -> None:
    assert command(server, folder, "--label", "label") == 0
    assert written(folder)["macro_f1"] is None


def test_answers_are_kept_between_runs(server: Server, folder: Path) -> None:
    for _ in range(2):
        assert command(server, folder, "--answers", str(folder / "kept.sqlite3")) == 0
    assert len(server.requests) == 3
    assert (written(folder)["calls"], written(folder)["asked"]) == (0, 3)


def test_what_was_answered_before_a_stop_is_written(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.plan = [labels("card"), replies(401, "wrong key")]
    assert command(server, folder, "--label", "label", "--concurrency", "1") == 2
    assert "Stopped after 1 of 3 texts. The endpoint" in capsys.readouterr().err
    assert written(folder)["asked"] == 1


def test_several_are_asked_at_once_and_written_in_their_order(server: Server, folder: Path) -> None:
    texts = [f"text {number}" for number in range(12)]
    (folder / "test.csv").write_text("\n".join(["text", *texts]), "utf-8")
    server.choose = lambda text: after(0.3 if text == "text 0" else 0.02, labels("card"))
    server.delay = 0.1
    assert command(server, folder, "--concurrency", "3") == 0
    assert server.at_once == 3
    assert [row["text"] for row in written(folder)["answers"]] == texts
    assert command(server, folder, "--concurrency", "0") == 2


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_writes_what_was_asked(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"text {number}" for number in range(12)]
    (folder / "test.csv").write_text("\n".join(["text", *texts]), "utf-8")
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def choose(text: str) -> Act:
        if text == "text 5":
            signal.pthread_kill(main_thread, signal.SIGINT)
        return after(0.1, labels("card"))

    server.choose = choose
    assert command(server, folder, "--answers", str(folder / "kept.sqlite3")) == 2
    assert "texts, as you asked" in capsys.readouterr().err
    assert sorted(row["text"] for row in written(folder)["answers"]) == sorted(server.texts)

    server.choose = None
    assert command(server, folder, "--answers", str(folder / "kept.sqlite3")) == 0
    assert sorted(server.texts) == sorted(texts)  # none was asked twice


def test_a_folder_that_is_not_there_is_named_before_anything_is_asked(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command(server, folder, "--json", str(folder / "none" / "out.json"))
    assert "there is no folder" in capsys.readouterr().err
    assert not server.requests


def test_figures_say_how_many_calls_were_not_counted(server: Server, folder: Path) -> None:
    server.plan = [says('{"label": "card"}', usage=False)]
    assert command(server, folder) == 0
    assert written(folder)["calls_not_counted"] == 3


def test_it_stops_at_the_budget(server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(server, folder, "--max-tokens", "1050") == 2
    assert "of 1,050 tokens are spent" in capsys.readouterr().err
    assert 0 < written(folder)["asked"] < 3
    assert written(folder)["input_tokens"] + written(folder)["output_tokens"] <= 1050


def test_examples_are_those_like_the_text(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm, "open_embedder", lambda *_: (WordEmbedder(), None))
    shots = ["text,label", "euro euro,rate", "card here,card", "my card,card"]
    (folder / "shots.csv").write_text("\n".join(shots), "utf-8")
    given = ["--label", "label", "--shots", str(folder / "shots.csv"), "--shots-per-text", "1"]
    assert command(server, folder, *given) == 0
    examples = [json.loads(sent["messages"][1]["content"])["text"] for sent in server.requests]
    shown = dict(zip(server.texts, examples, strict=True))
    assert shown["my card"] == "card here"  # never the text itself with its answer
    assert shown["which euro"] == "euro euro"


def test_the_most_similar_example_comes_last() -> None:
    examples = [Example(text, ("a",)) for text in ("far", "near", "self")]
    vectors = np.array([[0.6, 0.8], [0.8, 0.6], [1, 0]], np.float32)
    vector = np.array([1, 0], np.float32)
    assert [x.text for x in similar(examples, vectors, "self", vector, 2)] == ["far", "near"]
    assert similar(examples, vectors, "self", vector, 0) == ()


def test_a_truth_that_is_no_label_is_named(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "labels.txt").write_text("card\n", "utf-8")
    assert command(server, folder, "--label", "label") == 2
    assert "'rate', which is not in the schema" in capsys.readouterr().err
    assert not server.requests
