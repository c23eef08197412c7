from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.__main__ import main

NAMES = np.array(["card", "rate", "transfer"])


def written(path: Path, windows: list[np.ndarray], *, header: str = "label,window") -> Path:
    rows = [f"{NAMES[j]},{number}" for number, window in enumerate(windows) for j in window]
    path.write_text("\n".join([header, *rows]), "utf-8")
    return path


def drawn(mix: tuple[float, ...], windows: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.choice(3, 300, p=mix) for _ in range(windows)]


def judged(reference: Path, windows: Path, out: Path, *more: str) -> list[dict[str, object]]:
    arguments = ["drift", "--reference", str(reference), "--windows", str(windows), "--json", str(out), *more]
    assert main(arguments) == 0
    return list(json.loads(out.read_text("utf-8"))["windows"])


def test_a_window_that_left_the_corridor_alarms_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = tmp_path / "reference.txt"
    reference.write_text("\n".join(NAMES[np.concatenate(drawn((0.6, 0.3, 0.1), 7))]), "utf-8")
    traffic = drawn((0.6, 0.3, 0.1), 12, seed=1) + drawn((0.4, 0.3, 0.3), 1)
    found = judged(reference, written(tmp_path / "windows.csv", traffic), tmp_path / "out.json")
    assert [one["alarm"] for one in found] == [False] * 12 + [True]
    assert all(one.keys() >= {"window", "texts", "kl", "js", "psi", "g", "limit"} for one in found)
    assert found[-1]["moved"][0]["class"] == "transfer"  # type: ignore[index]
    assert "alarm: transfer" in capsys.readouterr().out.splitlines()[-1]


def test_a_window_that_alarms_is_no_history_for_the_next(tmp_path: Path) -> None:
    reference = written(tmp_path / "reference.csv", drawn((0.6, 0.3, 0.1), 10))
    traffic = drawn((0.4, 0.3, 0.3), 6)
    found = judged(reference, written(tmp_path / "windows.csv", traffic), tmp_path / "out.json")
    assert [one["alarm"] for one in found] == [True] * 6
    before = [one["moved"][0]["before"] for one in found]  # type: ignore[index]
    assert before == before[:1] * 6


def test_without_a_column_windows_close_by_their_size(tmp_path: Path) -> None:
    file = tmp_path / "classes.txt"
    file.write_text("\n".join(["card", "rate"] * 50), "utf-8")
    found = judged(file, file, tmp_path / "out.json", "--size", "40")
    assert [one["texts"] for one in found] == [40, 40, 20]


@pytest.mark.parametrize(
    ("content", "more", "sentence"),
    [
        ("one,other\na,b\n", (), "name that of the class with --label"),
        ("label,window\na,1\n", ("--label", "kind"), "name that of the class with --label"),
        ("label,window\na,1\n", ("--size", "0"), "--size has to be 1 or more"),
        ("label,window\n", (), "have no classes"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str,
    more: tuple[str, ...],
    sentence: str,
) -> None:
    file = tmp_path / "windows.csv"
    file.write_text(content, "utf-8")
    assert main(["drift", "--reference", str(file), "--windows", str(file), *more]) == 2
    assert sentence in capsys.readouterr().err
