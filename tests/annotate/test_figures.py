from __future__ import annotations

import pytest

from annotate.templatetags.winnow import figure, fine_percent, rounded


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(0.627, 2, "0.63"), (0.355, 2, "0.36"), (0.9999, 3, "1.000"), (12.4, 0, "12")],
)
def test_figures_are_rounded_and_not_cut(value: float, digits: int, written: str) -> None:
    assert rounded(value, digits) == written


def test_what_is_not_measured_is_no_zero() -> None:
    assert figure(None) == "not measurable yet"
    assert figure(0.0) == "0.00"


@pytest.mark.parametrize(
    ("share", "written"), [(1.0, "100"), (0.9996, "99.9"), (0.997, "99.7"), (0.95, "95.0"), (0.0, "0.0")]
)
def test_not_quite_all_is_not_written_as_all(share: float, written: str) -> None:
    assert fine_percent(share) == written
