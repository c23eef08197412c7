"""What is written in a format comes back equal, whatever signs the text has."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.preprocess.words import blank_separated, words
from training.records.spans.brat import read_brat, write_brat
from training.records.spans.conll import read_conll, write_conll
from training.records.spans.labelled import CannotHold, LabelledText, checked
from training.records.spans.objects import from_object, to_doccano, to_object, to_spacy
from training.records.spans.studio import from_task, to_task
from training.records.spans.tags import Scheme
from training.spans import flattened
from training.types import Span

SIGNS = st.sampled_from(
    [*"ab. '\t\n\r#-=_", "\u200d", "👩", "é", "e\u0301", "م", "東", "\x85", "\u2028", "\u00a0"]
)
TEXTS = st.one_of(
    st.lists(SIGNS, max_size=30).map("".join), st.text(st.characters(exclude_categories=["Cs"]))
)
LABELS = st.sampled_from(["PER", "B-LOC", "O", "über"])


@st.composite
def labelled(draw: st.DrawFn, *, flat: bool) -> LabelledText:
    """A text with spans that it can have."""
    text = draw(TEXTS)
    ends = st.integers(0, max(len(text), 1))
    found = draw(
        st.lists(st.builds(lambda a, b, label: Span(min(a, b), max(a, b), label), ends, ends, LABELS))
    )
    kept = checked(LabelledText(text, tuple(found))).spans
    return LabelledText(text, flattened(kept) if flat else kept)


def same(one: LabelledText, other: LabelledText) -> bool:
    return (one.text, set(one.spans), other.problem, other.faults) == (other.text, set(other.spans), "", ())


@pytest.mark.parametrize("write", [to_object, to_doccano, to_spacy])
@given(found=labelled(flat=False))
def test_objects_come_back(write: Callable[[LabelledText], object], found: LabelledText) -> None:
    assert same(found, from_object(json.loads(json.dumps(write(found)))))


@given(labelled(flat=False))
def test_tasks_of_label_studio_come_back(found: LabelledText) -> None:
    (back,) = from_task(json.loads(json.dumps(to_task(found))))
    assert same(found, back)


@given(labelled(flat=False))
def test_stand_off_comes_back(found: LabelledText) -> None:
    lines = "\n".join(write_brat(found)).split("\n")
    assert same(found, read_brat(found.text, lines))


@pytest.mark.parametrize("scheme", [Scheme.BIO, Scheme.BIOES])
@given(found=labelled(flat=True))
def test_tags_with_the_whole_text_come_back(scheme: Scheme, found: LabelledText) -> None:
    lines = "\n".join(write_conll(found, words(found.text), scheme, whole=True)).split("\n")
    (back,) = read_conll(lines).texts
    assert same(found, back)


@pytest.mark.parametrize("scheme", Scheme)
@given(tokens=st.lists(st.text("ab👩é", min_size=1), min_size=1, max_size=8), data=st.data())
def test_tokens_joined_by_blanks_come_back(scheme: Scheme, tokens: list[str], data: st.DataObject) -> None:
    text = " ".join(tokens)
    places = blank_separated(text)
    spans, at = [], 0
    while at < len(places):
        length = data.draw(st.integers(0, 3))
        if length:
            label = data.draw(st.sampled_from(["PER", "LOC"]))
            last = min(at + length, len(places)) - 1
            spans.append(Span(places[at][0], places[last][1], label))
        at += length + 1 if scheme is Scheme.IO else max(length, 1)
    found = LabelledText(text, tuple(spans))
    # The scheme is that of a whole file; one text alone may not show it.
    shows = LabelledText("a b c d", (Span(0, 3, "X"), Span(4, 5, "X")))
    lines = write_conll(found, places, scheme)
    if scheme is not Scheme.IO:
        lines += write_conll(shows, blank_separated(shows.text), scheme) * 9
    back = read_conll(lines)
    assert same(found, back.texts[0])
    assert back.texts[0].tokens == tuple(places)


@given(labelled(flat=False).filter(lambda found: len(flattened(found.spans)) < len(found.spans)))
def test_tags_refuse_spans_that_overlap(found: LabelledText) -> None:
    with pytest.raises(CannotHold, match="overlap"):
        write_conll(found, words(found.text))
