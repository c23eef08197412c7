from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from tests.training.conftest import make_dataset
from tests.training.families.checkpoints import write_tiny_checkpoint
from training.bundles.timing import in_turns
from training.figures.coverage import FOREIGN, foreign_note, languages, pieces_per_word
from training.figures.evaluate import evaluate
from training.figures.thresholds import Decisions
from training.preprocess.tokens import TokenPreprocessor, TokenSettings
from training.reportcard import measurement
from training.reportcard.card import Candidate, Comparison, Constraints, Recommendation, Speed
from training.reportcard.measurement import measure
from training.reportcard.recommend import DecidedDocuments, caveats, quantised_pairs, recommend, violations
from training.runs.pipeline import train_and_package
from training.tasks import SINGLE
from training.types import Dataset, FloatArray, LabelSchema, LabelSpec, RunSpec, Task

DOCUMENTS, LABELS = 600, 4
SCHEMA = LabelSchema(SINGLE, tuple(LabelSpec(str(j), str(j)) for j in range(LABELS)))
ANSWERS = np.arange(DOCUMENTS) % LABELS
TARGETS = np.eye(LABELS, dtype=np.float32)[ANSWERS]

Rows = list[tuple[Candidate, int]]
"""Candidates, each with its number of wrong decisions."""


def decided(wrong: int) -> Decisions:
    """Return decisions of which the first `wrong` are of the next label."""
    shifted = np.where(np.arange(DOCUMENTS) < wrong, (ANSWERS + 1) % LABELS, ANSWERS)
    return np.eye(LABELS, dtype=bool)[shifted]


def candidate(name: str, wrong: int, p50_ms: float, **more: object) -> Candidate:
    scores = decided(wrong).astype(np.float32)
    cuts: FloatArray = np.full(LABELS, 0.5, np.float32)
    found = evaluate(SCHEMA, TARGETS, scores, cuts, np.random.default_rng(0), resamples=50)
    speed = Speed(p50_ms, 2 * p50_ms, 1_000 / p50_ms, 1)
    row = Candidate(name, name, evaluation=found, speed=speed, bundle_bytes=1_000_000)
    return replace(row, **more)


def recommended(rows: Rows, constraints: Constraints | None = None, tolerance: float = 0.0) -> Recommendation:
    decisions = {row.name: decided(wrong) for row, wrong in rows}
    return recommend(
        [row for row, _ in rows],
        DecidedDocuments(TARGETS, decisions),
        constraints or Constraints(),
        tolerance=tolerance,
    )


def of(cheap: int, strong: int, **more: object) -> Rows:
    """Return a fast and a slow candidate by their numbers of wrong decisions."""
    return [(candidate("cheap", cheap, 0.1, **more), cheap), (candidate("strong", strong, 4.0), strong)]


def test_the_cheapest_within_noise_of_the_best_is_recommended() -> None:
    found = recommended(of(cheap=62, strong=60))
    assert (found.name, found.best) == ("cheap", "strong")
    assert "cheap is within noise of strong (macro-F1 0.89" in found.reason
    assert "and 40 times faster." in found.reason
    assert found.gaps[0].p > 0.05


def test_a_clearly_worse_candidate_is_not_recommended_however_cheap() -> None:
    found = recommended(of(cheap=120, strong=60))
    assert found.name == "strong"
    assert "nothing is within noise of it: cheap is 0.1" in found.reason
    assert "p < 0.001" in found.reason


def test_a_difference_below_the_tolerance_is_not_worth_paying() -> None:
    # The cheap one errs wherever the strong one does and twice more: small, and surely measured.
    rows = of(cheap=70, strong=60)
    assert recommended(rows, tolerance=0.0).name == "strong"
    assert recommended(rows, tolerance=0.03).name == "cheap"


def test_size_decides_where_latency_is_alike() -> None:
    rows = [
        (candidate("large", 60, 0.10), 60),
        (candidate("small", 61, 0.11, bundle_bytes=500_000), 61),
    ]
    found = recommended(rows)
    assert found.name == "small"
    assert "smaller (0.5 MB against 1.0 MB)" in found.reason


def test_of_those_that_cost_alike_the_more_accurate_is_chosen() -> None:
    rows = [
        (candidate("strong", 60, 4.0), 60),
        (candidate("quicker", 66, 0.10), 66),
        (candidate("better", 62, 0.12, bundle_bytes=1_200_000), 62),
    ]
    assert recommended(rows).name == "better"


def test_the_reason_is_what_the_chosen_one_is_cheaper_by_never_what_it_is_dearer_by() -> None:
    rows = [
        (candidate("fastest", 64, 1.0, bundle_bytes=10), 64),
        (candidate("chosen", 61, 1.45, bundle_bytes=12, train_seconds=30.0), 61),
        (candidate("best", 60, 1.6, bundle_bytes=11, train_seconds=5.0), 60),
    ]
    found = recommended(rows, tolerance=0.01)
    assert (found.name, found.best) == ("chosen", "best")
    assert "and 1.10 times faster." in found.reason


def test_the_most_accurate_and_cheapest_says_so() -> None:
    found = recommended(of(cheap=60, strong=61))
    assert found.name == found.best == "cheap"
    assert "nothing within noise of it is clearly cheaper" in found.reason


def test_a_constraint_rules_out_the_best_and_the_reason_names_its_price() -> None:
    found = recommended(of(cheap=120, strong=60), Constraints(latency_ms=1.0))
    assert found.name == "cheap"
    assert found.ruled_out == {"strong": ("a text takes 8 ms (p99), allowed are 1 ms",)}
    assert "strong reaches 0.90" in found.reason


def test_when_nothing_fits_each_candidate_says_why() -> None:
    found = recommended(of(cheap=62, strong=60), Constraints(latency_ms=1.0, explainable=True))
    assert found.name is None
    assert "cheap: it cannot say which words decided." in found.reason
    assert "strong: a text takes 8 ms (p99), allowed are 1 ms; it cannot say" in found.reason


def test_without_any_candidate_there_is_a_sentence() -> None:
    assert recommend([], DecidedDocuments(TARGETS, {}), Constraints()).reason == "There is no candidate."


@pytest.mark.parametrize(
    ("row", "constraints", "sentence"),
    [
        ({"problem": "No package."}, Constraints(), "No package."),
        ({"speed": None}, Constraints(), "not measured"),
        (
            {"encoder_bytes": 9_000_000},
            Constraints(size_bytes=5_000_000),
            "takes 10.0 MB, allowed are 5.0 MB",
        ),
        ({"languages": ("en",)}, Constraints(languages=("en", "ru")), "not made for ru"),
    ],
)
def test_a_violation_is_a_sentence(row: dict[str, object], constraints: Constraints, sentence: str) -> None:
    (found,) = violations(candidate("one", 60, 1.0, **row), constraints)
    assert sentence in found


def test_figures_of_more_labels_than_the_project_has_get_a_caveat() -> None:
    rows = [candidate("one", 60, 1.0, labelled=500)]
    assert caveats(rows, 4, Constraints()) == ()
    assert caveats(rows, 4, Constraints(classes=4, labels=500)) == ()
    assert caveats(rows, 4, Constraints(classes=70)) == ("Measured with 4 labels; the project has 70.",)
    (found,) = caveats(rows, 4, Constraints(labels=100))
    assert "Measured with 500 labelled texts; with the project's 100" in found


def test_a_model_that_learns_from_texts_alone_suits_every_language() -> None:
    row = candidate("one", 60, 1.0, explainable=True)
    assert violations(row, Constraints(1_000, 2_000_000, True, ("ru", "he"))) == ()


def test_a_failed_candidate_stands_beside_the_others() -> None:
    failed = Candidate("fasttext", "fasttext", problem="fastText needs a package.")
    rows = of(cheap=62, strong=60)
    decisions = {row.name: decided(wrong) for row, wrong in rows}
    found = recommend(
        [failed, *(row for row, _ in rows)], DecidedDocuments(TARGETS, decisions), Constraints()
    )
    assert found.name == "cheap"
    assert found.ruled_out == {"fasttext": ("fastText needs a package.",)}


def test_int8_is_compared_with_its_own_fp32() -> None:
    params = {"head": "svm"}
    rows = [
        candidate("a", 62, 1.0, family="e", params={**params, "precision": "int8"}, precision="int8"),
        candidate("b", 60, 3.0, family="e", params=params, bundle_bytes=4_000_000),
        candidate("c", 60, 3.0, family="e", params={"head": "logistic"}),
    ]
    (pair,) = quantised_pairs(rows)
    assert (pair.int8, pair.fp32) == ("a", "b")
    assert (pair.speedup, pair.size_ratio) == (pytest.approx(3), 0.25)
    assert pair.macro_f1_loss == pytest.approx(2 / DOCUMENTS, abs=1e-3)


def test_a_bundle_is_measured_and_the_card_is_plain_json(
    task: Task, dataset: Dataset, tmp_path: Path
) -> None:
    nothing = Dataset(dataset.schema, (), dataset.targets[:0])
    train_and_package(RunSpec("tfidf"), dataset, tmp_path / "one", tuning=nothing, reporting=nothing)
    held = make_dataset(task, 60, seed=1)
    found = measure(Candidate("tfidf", "tfidf", labelled=90), tmp_path / "one", held)
    row = found.candidate
    assert row.evaluation is not None
    assert row.speed is not None
    assert row.evaluation.documents == 60
    assert row.evaluation.macro_f1 > 0.8  # type: ignore[operator]
    assert 0 < row.speed.p50_ms <= row.speed.p99_ms
    assert row.speed.texts_per_s > 0
    assert sum(bar.count for bar in row.reliability) == (60 if task is SINGLE else 180)
    assert row.bundle_bytes == sum(file.stat().st_size for file in (tmp_path / "one").iterdir())
    assert (row.encoder_bytes, row.explainable, row.languages) == (0, True, None)
    assert found.decisions.shape == held.targets.shape
    card = Comparison(60, 3, {}, Constraints(), (row,), Recommendation("tfidf", "because"))
    assert json.loads(json.dumps(card.to_json()))["candidates"][0]["name"] == "tfidf"


class Timed:
    """Answers after so many seconds, and notes whose turn it was."""

    def __init__(self, seconds: float, turns: list[tuple[float, str]]) -> None:
        self.seconds, self.turns = seconds, turns

    def predict_proba(self, texts: list[str]) -> FloatArray:
        self.turns.append((self.seconds, *texts))
        time.sleep(self.seconds)
        return np.zeros((1, LABELS), np.float32)

    def decide(self, scores: FloatArray) -> list[tuple[int, ...]]:
        return [()]


def test_bundles_that_take_turns_answer_the_same_texts_within_their_time() -> None:
    turns: list[tuple[float, str]] = []
    quick, slow = Timed(0.001, turns), Timed(0.02, turns)
    texts = [str(i) for i in range(50)]
    found = in_turns([quick, slow], texts, seconds=0.3)  # type: ignore[list-item]
    assert 1 <= found[0] < 20 <= found[1] < 200
    assert turns[:4] == [(0.001, "0"), (0.02, "0"), (0.001, "1"), (0.02, "1")]
    assert 2 * 8 <= len(turns) <= 2 * 15
    turns.clear()
    in_turns([quick], texts[:1], seconds=0)  # type: ignore[list-item]
    assert 1 < len(turns) < 9


def test_decisions_of_a_measured_bundle_are_those_of_its_figures() -> None:
    row = candidate("one", 60, 1.0)
    assert row.evaluation is not None
    exact = SINGLE.decide(decided(60).astype(np.float32), np.zeros(LABELS, np.float32))
    assert row.evaluation.micro_f1 == pytest.approx((exact & (TARGETS > 0)).sum() / DOCUMENTS)


def test_texts_that_a_model_does_not_read_to_the_end_are_counted(tmp_path: Path) -> None:
    checkpoint = write_tiny_checkpoint(tmp_path / "checkpoint", ["card"])
    settings = TokenSettings(max_length=8, overlap=2, max_windows=2)
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    (tmp_path / "bundle").mkdir()
    TokenPreprocessor(tokenizer, settings).save(tmp_path / "bundle")
    start = Candidate("one", "transformer")
    found = measurement._with_windows(start, tmp_path / "bundle", ["card", "card " * 9, "card " * 50, "card"])
    assert found.cut_share == 0.25
    assert found.languages == ()
    assert found.notes == ()


class Pieces:
    """A tokenizer that knows English words whole and spells everything else."""

    model = None

    def encode_batch(self, words: list[str], *, add_special_tokens: bool) -> list[Pieces]:
        assert not add_special_tokens
        return [Pieces([word] if word.isascii() else list(word)) for word in words]

    def __init__(self, tokens: list[str] | None = None) -> None:
        self.tokens = tokens or []


def test_an_encoder_for_other_languages_is_noticed() -> None:
    tokenizer = Pieces()
    assert pieces_per_word(tokenizer, ["where is my card"]) == 1.0
    assert foreign_note(tokenizer, ["where is my card"]) == ""
    assert pieces_per_word(tokenizer, ["где моя карта"]) > FOREIGN
    assert "cuts a word of these texts into 3.7 pieces" in foreign_note(tokenizer, ["где моя карта"])
    assert foreign_note(tokenizer, ["", "?!"]) == ""


def test_languages_come_from_the_card_of_a_checkpoint_else_from_its_vocabulary() -> None:
    assert languages(Pieces(), "sentence-transformers/all-MiniLM-L6-v2") == ("en",)
    found = languages(Pieces(), "some/other")
    assert {"en", "nl"} <= set(found)
    assert not {"ru", "he", "ar"} & set(found)
