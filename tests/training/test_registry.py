"""The registry says what families can do without loading them: here it is held against the families."""

from __future__ import annotations

import inspect

import pytest

from training.families.embedding import model as embedding
from training.families.tfidf import heads
from training.families.transformer import model as transformer
from training.protocol import LearnsSoftly
from training.registry import FAMILIES

OFFERED = {
    "tfidf": {"head": heads.HEADS, "imbalance": heads.IMBALANCES},
    "embedding": {"head": embedding.HEADS, "imbalance": embedding.IMBALANCES},
    "transformer": {"imbalance": transformer.IMBALANCES},
}


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_choices_are_those_of_the_family_with_its_usual_one_first(family: str) -> None:
    choices = FAMILIES[family].choices
    assert dict(choices) == {name: tuple(values) for name, values in OFFERED.get(family, {}).items()}
    defaults = inspect.signature(FAMILIES[family].load()).parameters
    assert {name: values[0] for name, values in choices.items()} == {
        name: defaults[name].default for name in choices
    }


def test_who_learns_softly_learns() -> None:
    soft = {key for key, entry in FAMILIES.items() if hasattr(entry.load(), LearnsSoftly.fit_softly.__name__)}
    assert soft == {"embedding", "tfidf", "transformer"}
    assert [key for key, entry in FAMILIES.items() if not entry.learns] == ["zero_shot"]
