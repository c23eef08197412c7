from __future__ import annotations

from tests.annotate.services.conftest import annotate, label_colours, only_tfidf

__all__ = ["annotate", "label_colours", "only_tfidf"]
