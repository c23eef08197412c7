"""A site for `bench/predict.py --cost-of-counting` that neither counts nor names its predictions."""

from __future__ import annotations

# NB: first of all, as it loads the models that the others import.
from annotate.wsgi import application  # isort: split

from annotate.api import predict
from annotate.services.drift import prediction_ids

__all__ = ["application"]


def _nameless(project: object, texts: list[str], said: object) -> list[None]:
    return [None] * len(texts)


predict.COUNTER.add = lambda *_: None  # type: ignore[method-assign]
prediction_ids.issue = _nameless  # type: ignore[assignment]
