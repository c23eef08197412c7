from __future__ import annotations

from collections.abc import Iterator

import pytest

from annotate.logs import context


@pytest.fixture(autouse=True)
def _no_context_is_left() -> Iterator[None]:
    """An answer that a test before did not close, as one that is streamed, leaves the id of its request."""
    context.begin("")
    yield
    context.begin("")
