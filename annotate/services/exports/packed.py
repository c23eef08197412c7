"""Files of an export that a worker writes: Parquet, and a folder that Hugging Face `datasets` loads."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from annotate.models.documents import Lane
from annotate.services.documents.spreadsheet import LABELS, SPANS
from annotate.services.exports.contents import Row
from training.types import ScoreKind, Task, TrainingError

if TYPE_CHECKING:
    import pyarrow

GROUP = 10_000  # rows in memory at a time, which are one row group of the file
# Which split a lane is for whoever trains elsewhere: nothing learns from the holdout.
SPLITS = {Lane.POOL: "train", Lane.HOLDOUT: "test"}
TIMES = ("created", "updated")
# Of the columns that are no text; lists are of labels.
WHOLE, LISTS = (
    ("document", "answers", "annotation", "predicted_by", "suggested_by"),
    ("predicted", "suggested"),
)
SWITCHES, DECIMAL = ("is_gold", "is_current"), ("seconds",)
AS_JSON = ("meta", "scores")


def write_parquet(rows: Iterable[Row], columns: Sequence[str], path: Path) -> None:
    """Write rows as Parquet; what is nested is JSON. A row without an answer has an empty list of labels."""
    arrow = _arrow()
    nested = SPANS in columns
    schema = arrow.schema([(name, _kind(arrow, name, nested=nested)) for name in columns])
    parts = {"": path}
    answer = SPANS if nested else LABELS
    _write(({**row, answer: row.get(answer, [])} for row in rows), schema, parts, lambda row: "")


def write_dataset(
    rows: Iterable[Row], columns: Sequence[str], path: Path, *, name: str, task: Task, labels: Sequence[str]
) -> None:
    """Write a zip of a folder for `datasets.load_dataset`: Parquet by split, and a card with its features.

    Labels are numbers of a `ClassLabel`: one a row where documents of the task take one, else a list.
    """
    arrow, numbers = _arrow(), {label: number for number, label in enumerate(labels)}
    takes_one = task.score_kind is ScoreKind.EXCLUSIVE
    label_column = "label" if takes_one else "labels"
    label_kind = arrow.int64() if takes_one else arrow.list_(arrow.int64())
    names = [label_column if column == "labels" else column for column in columns]
    kinds = [label_kind if name == label_column else _kind(arrow, name) for name in names]
    schema = arrow.schema(list(zip(names, kinds, strict=True)))

    def numbered() -> Iterator[Row]:
        for row in rows:
            chosen = [numbers[label] for label in row.pop("labels", ())]
            yield {**row, label_column: next(iter(chosen), None) if takes_one else chosen}

    with TemporaryDirectory(dir=path.parent) as folder:
        parts = {split: Path(folder) / f"{split}-00000-of-00001.parquet" for split in SPLITS.values()}
        counts = _write(numbered(), schema, parts, lambda row: SPLITS[row["lane"]])
        card = _card(name, schema, labels, takes_one=takes_one, splits=[one for one in parts if counts[one]])
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as folder_file:  # Parquet is packed already
            folder_file.writestr("README.md", card)
            for split, part in parts.items():
                if counts[split]:
                    folder_file.write(part, f"data/{part.name}")


def _arrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        sentence = _('Parquet files need pyarrow: pip install ".[parquet]" on the machine of the workers.')
        raise TrainingError(sentence) from error
    return pyarrow


def _kind(arrow: Any, column: str, *, nested: bool = False) -> Any:
    """Return the kind of a column; what is `nested`, as spans are, is JSON."""
    if column in WHOLE:
        return arrow.int64()
    if column == LABELS or (column in LISTS and not nested):
        return arrow.list_(arrow.string())
    if column in TIMES:
        return arrow.timestamp("us", tz="UTC")
    if column in SWITCHES:
        return arrow.bool_()
    return arrow.float64() if column in DECIMAL else arrow.string()


def _write(
    rows: Iterable[Row], schema: pyarrow.Schema, parts: Mapping[str, Path], part_of: Callable[[Row], str]
) -> dict[str, int]:
    """Write each row into its part; return how many rows each has."""
    nested = {SPANS, *LISTS} if SPANS in schema.names else set()
    arrow, counts, waiting = _arrow(), dict.fromkeys(parts, 0), {name: list[Row]() for name in parts}
    writers = {name: arrow.parquet.ParquetWriter(path, schema) for name, path in parts.items()}

    def flush(name: str) -> None:
        writers[name].write_batch(arrow.RecordBatch.from_pylist(waiting[name], schema=schema))
        counts[name] += len(waiting[name])
        waiting[name].clear()

    try:
        for row in rows:
            name = part_of(row)
            waiting[name].append(
                {
                    column: _value(column, row.get(column), is_nested=column in nested)
                    for column in schema.names
                }
            )
            if len(waiting[name]) == GROUP:
                flush(name)
        for name in parts:
            flush(name)
    finally:
        for writer in writers.values():
            writer.close()
    return counts


def _value(column: str, value: Any, *, is_nested: bool = False) -> Any:
    if value is None:
        return None
    if column in AS_JSON or is_nested:
        return json.dumps(value, ensure_ascii=False)
    return datetime.fromisoformat(value) if column in TIMES else value


def _card(
    name: str, schema: pyarrow.Schema, labels: Sequence[str], *, takes_one: bool, splits: Sequence[str]
) -> str:
    """Return the dataset card. Its head is JSON, which is YAML as well."""
    classes = {"class_label": {"names": {str(number): label for number, label in enumerate(labels)}}}
    features: list[dict[str, Any]] = []
    for field in schema:
        if field.name == ("label" if takes_one else "labels"):
            features.append(
                {"name": field.name, **({"dtype": classes} if takes_one else {"sequence": classes})}
            )
        elif str(field.type).startswith("list"):
            features.append({"name": field.name, "sequence": "string"})
        else:
            known = {"double": "float64", "timestamp[us, tz=UTC]": "timestamp[us, tz=UTC]"}
            features.append({"name": field.name, "dtype": known.get(str(field.type), str(field.type))})
    files = [{"split": split, "path": f"data/{split}-*"} for split in splits]
    head = {
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"features": features},
        "task_categories": ["text-classification"],
        "pretty_name": name,
    }
    told = json.dumps(head, ensure_ascii=False, indent=1)
    for code in (0x7F, *range(0x80, 0xA0), 0x2028, 0x2029, 0xFEFF):  # which YAML takes for breaks or refuses
        told = told.replace(chr(code), f"\\u{code:04x}")
    return (
        f"---\n{told}\n---\n\n# {' '.join(name.split())}\n\n"
        "Exported from Winnow. `train` is the pool that models learn from, `test` the holdout that no model "
        "learns from. `meta` and `scores` are JSON.\n"
    )
