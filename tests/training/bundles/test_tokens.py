"""Windows of tokens: how long texts are cut, and that all of a text counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.conftest import FILLER, make_dataset
from tests.training.families.tuning import Params, tuned
from training.preprocess.tokens import TokenPreprocessor, TokenSettings, read_tokenizer
from training.tasks import SINGLE
from training.types import TrainingError

# Long texts


def test_windows_overlap_end_with_the_text_and_have_one_length(checkpoint: str) -> None:
    tokens = tokens_of(checkpoint, max_length=12, overlap=4)
    words = list(FILLER) * 3
    found = tokens.tokens(" ".join(words))
    assert {len(window) for window in found.windows} == {12}
    assert not found.is_cut
    inner = [window[1:-1] for window in found.windows]  # without [CLS] and [SEP]
    ids = tokens_of(checkpoint, max_length=60).tokens(" ".join(words)).windows[0][1:-1]
    assert inner[0] == ids[:10]
    assert inner[1] == ids[6:16]
    assert inner[-1] == ids[-10:]


def test_short_empty_and_odd_texts_have_one_window(checkpoint: str) -> None:
    tokens = tokens_of(checkpoint)
    for text in ("card", "", "\ud800", "\x00"):
        assert len(tokens.tokens(text).windows) == 1
    assert len(tokens.tokens("").windows[0]) == 2


def test_a_megabyte_is_cut_and_said_to_be(checkpoint: str, params: Params) -> None:
    found = tokens_of(checkpoint).tokens("card " * 200_000)
    assert len(found.windows) == TokenSettings().max_windows
    assert found.is_cut
    data = make_dataset(SINGLE, 30)
    texts = ("card " * 200_000, "my card " * 60, *data.texts[2:])
    model = tuned(replace(data, texts=texts), params | {"max_length": 32})
    assert model.details_["truncated_texts"] == pytest.approx(1 / 30)
    assert model.details_["windowed_texts"] == pytest.approx(2 / 30)


def test_the_end_of_a_long_text_counts(params: Params) -> None:
    model = tuned(make_dataset(SINGLE, 90), params | {"epochs": 15, "max_length": 16})
    padding = "please " * 20
    ends = model.predict_proba((f"{padding} card card card", f"{padding} iban iban iban"))
    assert ends[0, 0] > ends[1, 0] + 0.1


def test_windows_that_cannot_be_are_a_sentence(checkpoint: str, params: Params) -> None:
    with pytest.raises(TrainingError, match="Windows of 12 tokens cannot share 40"):
        tuned(make_dataset(SINGLE, 30), params | {"max_length": 12, "overlap": 40})


def tokens_of(checkpoint: str, max_length: int = 32, overlap: int = 4) -> TokenPreprocessor:
    return TokenPreprocessor(
        read_tokenizer(Path(checkpoint) / "tokenizer.json"), TokenSettings(max_length, overlap)
    )
