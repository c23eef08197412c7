"""Figures as a CSV file, as each page of a version offers them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse


def csv_file(name: str, rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """Return a file of rows, the heads first; text cells are marked by whoever makes the rows."""
    written = io.StringIO("\ufeff")
    written.seek(0, io.SEEK_END)
    csv.writer(written).writerows(rows)
    return HttpResponse(
        written.getvalue().encode(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
