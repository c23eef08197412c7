from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder, make_dataset, write_csv
from training.__main__ import main
from training.cli import simulate as simulation
from training.cli.simulate import Replay, World, mean_points, simulate, spread_points
from training.encoders.neighbours import nearest
from training.encoders.tuning_steps import TUNE_AT
from training.figures.curves import draw
from training.tasks import MULTI, SINGLE
from training.types import Dataset, RunSpec, Task, TrainingError


def world(task: Task = SINGLE) -> World:
    train, test = make_dataset(task, 150), make_dataset(task, 60, seed=1)
    vectors = WordEmbedder().embed(train.texts)
    return World(train, test, WordEmbedder(), vectors, nearest(vectors))


def plan(**changes: object) -> Replay:
    usual = {"spec": RunSpec("embedding"), "strategy": "margin", "start": "kmeans"}
    sizes = {"seed_labels": 10, "batch": 20, "budget": 55}
    return Replay(**(usual | sizes | changes))  # type: ignore[arg-type]


def record_datasets(monkeypatch: pytest.MonkeyPatch) -> list[Dataset]:
    """Return a list that fills with what each round of a simulation learns from."""
    seen: list[Dataset] = []
    original = simulation.fit_model

    def fit(spec: RunSpec, dataset: Dataset, *rest: Any) -> Any:
        seen.append(dataset)
        return original(spec, dataset, *rest)

    monkeypatch.setattr(simulation, "fit_model", fit)
    return seen


def test_a_curve_has_a_point_for_each_batch_and_ends_at_the_budget() -> None:
    points = list(simulate(plan(), world(), seed=0))
    assert [point.labels for point in points] == [10, 30, 50, 55]
    assert points[-1].macro_f1 > 0.8
    assert points[0].fit_s > 0


def test_the_same_seed_gives_the_same_curve() -> None:
    first, second = ([p.macro_f1 for p in simulate(plan(), world(), seed=1)] for _ in range(2))
    assert first == second


def test_multi_label_takes_turns_and_tunes_thresholds() -> None:
    points = list(simulate(plan(strategy="label_turns", budget=50), world(MULTI), seed=0))
    assert points[-1].macro_f1 > 0.7


def test_it_starts_from_names_alone_with_no_label() -> None:
    assert next(iter(simulate(plan(seed_labels=0), world(), seed=0))).labels == 0


def test_the_encoder_is_tuned_at_each_step_once_on_the_labels_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, tuned, read = world(), [], record_embedders(monkeypatch)

    def tune(name: str, dataset: Dataset, folder: Path) -> WordEmbedder:
        tuned.append((name, len(dataset), WordEmbedder()))
        return tuned[-1][2]

    monkeypatch.setattr(simulation, "tuned_embedder", tune)
    points = list(simulate(plan(tune_at=(20, 25, 50)), replace(here, encoder="own"), seed=0))
    assert [(name, labels) for name, labels, _ in tuned] == [("own", 30), ("own", 50)]
    assert [point.labels for point in points if point.tune_s] == [30, 50]
    first, second = (embedder for _, _, embedder in tuned)
    # Each round chooses by the encoder as it is; what is measured reads the tuned one.
    assert read == [here.embedder, here.embedder, first, here.embedder, second, here.embedder, second]


def test_it_is_not_tuned_before_enough_labels_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "tuned_embedder", None)
    monkeypatch.setattr(simulation, "can_be_tuned", lambda texts: False)
    points = list(simulate(plan(tune_at=(10,), budget=10), world(), seed=0))
    assert [point.tune_s for point in points] == [0.0]


def record_embedders(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list that fills with the embedder that each round of a simulation reads."""
    read: list[object] = []
    original = simulation.fit_model

    def fit(spec: RunSpec, dataset: Dataset, valid: Dataset, embedder: Any) -> Any:
        read.append(embedder)
        return original(spec, dataset, valid, embedder)

    monkeypatch.setattr(simulation, "fit_model", fit)
    return read


def test_no_document_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    here = world()
    texts = tuple(f"{text} {number}" for number, text in enumerate(here.train.texts))
    fitted = record_datasets(monkeypatch)
    list(simulate(plan(random_share=0.2), replace(here, train=replace(here.train, texts=texts)), seed=0))
    assert [len(set(dataset.texts)) for dataset in fitted] == [10, 30, 50, 55]
    for dataset in fitted:
        assert dataset.pool is not None
        assert sorted(dataset.texts + dataset.pool.texts) == sorted(texts)


def test_neighbours_follow_the_order_of_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = record_datasets(monkeypatch)
    list(simulate(plan(), world(), seed=0))
    dataset = fitted[1]
    assert dataset.pool is not None
    texts = dataset.texts + dataset.pool.texts
    expected = nearest(WordEmbedder().embed(texts))
    assert dataset.pool.neighbours is not None
    np.testing.assert_allclose(dataset.pool.neighbours.similarities, expected.similarities, atol=1e-5)
    vectors = WordEmbedder().embed(texts)
    found = (vectors[:, None] * vectors[dataset.pool.neighbours.indices]).sum(axis=2)
    np.testing.assert_allclose(found, expected.similarities, atol=1e-5)


@pytest.mark.parametrize(
    "changes", [{"budget": 5}, {"budget": 500}, {"batch": 0}, {"strategy": "label_turns"}]
)
def test_a_plan_that_cannot_be_carried_out_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(TrainingError):
        next(simulate(plan(**changes), world(), seed=0))


def test_the_command_writes_curves_their_mean_and_a_plot(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", make_dataset(SINGLE, 90))
    test = write_csv(tmp_path / "test.csv", make_dataset(SINGLE, 60, seed=1))
    out, plot = tmp_path / "out.json", tmp_path / "out.svg"
    files = ["--train", str(train), "--test", str(test), "--text", "text", "--label", "label"]
    sizes = ["--seed-labels", "20", "--batch", "20", "--budget", "40", "--seeds", "0,1"]
    choice = ["--family", "tfidf", "--strategy", "margin", "--start", "random"]
    assert main(["simulate", *files, *choice, *sizes, "--json", str(out)]) == 0
    beside = ["--beside", f"earlier={out}", "--plot", str(plot)]
    assert main(["simulate", *files, *choice, *sizes, "--json", str(out), *beside]) == 0
    content = json.loads(out.read_text())
    assert [curve["seed"] for curve in content["curves"]] == [0, 1]
    point = content["curves"][0]["points"][0]
    assert set(point) == {"labels", "macro_f1", "micro_f1", "fit_s", "query_s", "tune_s"}
    both = [curve["points"][1]["macro_f1"] for curve in content["curves"]]
    assert content["mean"][1]["macro_f1"] == pytest.approx(np.mean(both))
    bands = list(ElementTree.parse(plot).getroot().iter("{http://www.w3.org/2000/svg}polygon"))
    assert len(bands) == 2, "the curve beside has the spread of its file"


def test_a_test_file_that_is_too_small_gives_a_sentence_and_no_curve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, plot = tmp_path / "out.json", tmp_path / "out.svg"
    file = {
        size: write_csv(tmp_path / f"{size}.csv", make_dataset(SINGLE, size, seed=size))
        for size in (60, 9, 10)
    }
    choice = ["--family", "tfidf", "--strategy", "margin", "--start", "random"]
    sizes = ["--seed-labels", "20", "--batch", "20", "--budget", "20", "--json", str(out)]

    def run(size: int) -> int:
        files = ["--train", str(file[60]), "--test", str(file[size]), "--text", "text", "--label", "label"]
        return main(["simulate", *files, *choice, *sizes, "--plot", str(plot)])

    assert run(9) == 2
    told = capsys.readouterr()
    assert "measured from 10 held-out documents on; there are 9" in told.err
    assert "macro-F1 -" in told.err
    assert not told.out
    assert not plot.exists()
    content = json.loads(out.read_text())
    assert (content["mean"][0]["macro_f1"], content["mean"][0]["micro_f1"]) == (None, None)
    assert content["mean"][0]["fit_s"] > 0
    assert "there are 9" in content["reason"]
    assert run(10) == 0
    content = json.loads(out.read_text())
    assert content["reason"] == ""
    assert content["mean"][0]["macro_f1"] > 0


@pytest.mark.parametrize(
    ("family", "start", "has_vectors"),
    [("tfidf", "random", False), ("tfidf", "kmeans", True), ("embedding", "random", True)],
)
def test_texts_are_embedded_only_for_a_family_or_a_strategy_that_reads_vectors(
    family: str, start: str, has_vectors: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "open_embedder", lambda arguments: (WordEmbedder(), tmp_path))
    worlds: list[World] = []
    monkeypatch.setattr(simulation, "simulate", lambda plan, world, seed: worlds.append(world) or iter(()))
    file = str(write_csv(tmp_path / "data.csv", make_dataset(SINGLE, 30)))
    files = ["--train", file, "--test", file, "--text", "text", "--label", "label"]
    choice = ["--family", family, "--strategy", "margin", "--start", start]
    sizes = ["--seed-labels", "10", "--budget", "20", "--json", str(tmp_path / "out.json")]
    assert main(["simulate", *files, *choice, *sizes]) == 0
    (found,) = worlds
    assert (found.vectors is not None) == has_vectors
    assert (found.neighbours is not None) == (family == "embedding")


@pytest.mark.parametrize(
    ("family", "more", "steps"),
    [
        ("embedding", [], TUNE_AT),
        ("embedding", ["--multi", "|"], TUNE_AT),
        ("embedding", ["--tune-at", "never"], ()),
        ("embedding", ["--tune-at", "500,300"], (300, 500)),
        ("tfidf", [], ()),
    ],
)
def test_the_defaults_of_the_site_tune_the_encoder_where_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, more: list[str], steps: tuple[int, ...]
) -> None:
    monkeypatch.setattr(simulation, "is_installed", lambda: True)
    seen: list[Replay] = []

    def plan_only(arguments: Any, found: Replay) -> World:
        seen.append(found)
        raise TrainingError("That is enough.")

    monkeypatch.setattr(simulation, "_world", plan_only)
    words = command(tmp_path, "--site-defaults", *more)
    assert main([family if word == "tfidf" else word for word in words]) == 2
    assert seen[0].tune_at == steps


def test_without_torch_the_defaults_of_the_site_tune_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "is_installed", lambda: False)
    assert simulation.steps_of_the_site("embedding") == ()


def test_the_mean_is_over_the_steps_that_all_curves_reached() -> None:
    curves = [
        {"seed": seed, "points": [{"labels": n, "macro_f1": 0.1 * seed} for n in range(0, last, 10)]}
        for seed, last in ((1, 30), (3, 20))
    ]
    assert mean_points(curves) == [
        {"labels": 0, "macro_f1": pytest.approx(0.2)},
        {"labels": 10, "macro_f1": pytest.approx(0.2)},
    ]


def test_a_curve_of_several_seeds_has_a_band() -> None:
    curves = [
        {
            "seed": seed,
            "points": [{"labels": n, "macro_f1": 0.5 + 0.1 * seed, "micro_f1": 0.5} for n in (10, 20)],
        }
        for seed in (0, 2)
    ]
    points = {"ours": mean_points(curves)}
    assert "<polygon" not in draw(points)
    picture = ElementTree.fromstring(draw(points, spreads={"ours": spread_points(curves)}))
    (band,) = picture.iter("{http://www.w3.org/2000/svg}polygon")
    heights = [float(pair.split(",")[1]) for pair in band.attrib["points"].split()]
    line = next(picture.iter("{http://www.w3.org/2000/svg}polyline")).attrib["points"].split()
    middle = float(line[0].split(",")[1])
    assert heights[0] < middle < heights[-1]


def test_a_curve_of_one_point_is_seen_without_a_line() -> None:
    line = [{"labels": n, "macro_f1": n / 100} for n in (10, 20)]
    picture = ElementTree.fromstring(draw({"curve": line, "point": line[:1]}))
    radii = {
        name: {
            float(dot.attrib["r"])
            for dot in picture.iter("{http://www.w3.org/2000/svg}circle")
            if dot.attrib["class"] == name
        }
        for name in ("c0", "c1")
    }
    assert min(radii["c1"]) > max(radii["c0"])


def test_names_in_a_plot_are_text() -> None:
    picture = draw({"<b>&": [{"labels": 1, "macro_f1": 0.5}]})
    assert "&lt;b&gt;&amp;" in picture
    ElementTree.fromstring(picture)


def command(folder: Path, *more: str) -> list[str]:
    train = write_csv(folder / "train.csv", make_dataset(SINGLE, 200))
    test = write_csv(folder / "test.csv", make_dataset(SINGLE, 60, seed=1))
    files = ["--train", str(train), "--test", str(test), "--text", "text", "--label", "label"]
    return ["simulate", *files, "--family", "tfidf", *more, "--json", str(folder / "out.json")]


def test_the_defaults_of_the_site_hold_texts_out_and_draw_a_share_at_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "open_embedder", lambda arguments: (WordEmbedder(), tmp_path))
    seen: list[tuple[Replay, World]] = []
    original = simulation.simulate

    def remember(plan: Replay, world: World, seed: int) -> Any:
        seen.append((plan, world))
        return original(plan, world, seed)

    monkeypatch.setattr(simulation, "simulate", remember)
    assert main(command(tmp_path, "--site-defaults", "--budget", "100", "--seeds", "1-3,7")) == 0
    plan, here = seen[0]
    assert (plan.strategy, plan.start, plan.batch) == ("margin", "kmeans", 50)
    assert (plan.random_share, plan.novel_share) == (0.02, 0.1)
    texts = set(make_dataset(SINGLE, 200).texts)
    assert set(here.train.texts) < texts
    assert 0.85 <= len(set(here.train.texts)) / len(texts) <= 0.95
    content = json.loads((tmp_path / "out.json").read_text())
    assert [curve["seed"] for curve in content["curves"]] == [1, 2, 3, 7]
    reached = [curve["points"][-1]["macro_f1"] for curve in content["curves"]]
    assert content["spread"][-1]["macro_f1"] == pytest.approx(np.std(reached, ddof=1))
    assert content["machine"]["threads"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--strategy", "margin", "--seeds", "3-1"], "'3-1' is no seed and no range of seeds"),
        (["--strategy", "margin", "--seeds", "one"], "'one' is no seed"),
        (["--strategy", "margin", "--tune-at", "soon"], "'soon' is not numbers of labels"),
        (
            ["--strategy", "margin", "--tune-at", "300"],
            "--tune-at is for a family whose encoder can be chosen",
        ),
        (["--strategy", "margin", "--plot", "absent/plot.svg"], "there is no folder absent"),
        (["--strategy", "margin", "--plot", "."], "is a folder"),
        ([], "--strategy is needed, or --site-defaults"),
        (["--strategy", "margin", "--budget", "900"], "at most the 200 documents there are"),
        (["--strategy", "margin", "--beside", "nothing"], "A curve needs NAME=FILE"),
        (["--strategy", "margin", "--budget", "150", "--set", "colour=1"], "has no parameter 'colour'"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    more: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(simulation, "open_embedder", lambda arguments: pytest.fail("texts were embedded"))
    monkeypatch.setattr(simulation, "fit_model", lambda *rest: pytest.fail("a model was fitted"))
    try:
        code: object = main(command(tmp_path, "--start", "kmeans", *more))
    except SystemExit as ended:  # what argparse itself refuses
        code = ended.code
    assert code == 2
    assert said in capsys.readouterr().err
