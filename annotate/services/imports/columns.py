"""Which column of a file is what, guessed from its first rows and declared by the lead."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from annotate.services.documents import spreadsheet
from annotate.services.imports.labels import Choice
from annotate.services.imports.upsert import ROW_FAULTS, IncomingDocument
from annotate.task_types import TaskType
from annotate.task_types.span import FLAT_SPAN
from training import records
from training.records import label_studio
from training.records.header import ID, LABEL, TEXT
from training.storable import LONGEST_KEY
from training.types import Answer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Stored as JSON with the import. Columns are names; an empty name means "there is none".

    `spans` is the column of spans where `label` has labels of the whole text beside them. `label_choices`
    says what becomes of labels that the project does not offer, as `ImportedLabels` takes it.
    `separator` cuts a cell into several labels. `empty_is_answer`: an empty label cell says that no label
    applies, instead of nothing. `encoding` is what somebody says, `found_encoding` what the file looked like.
    `tool` names the program whose export the file is, where that was found out.
    """

    text: str = ""
    id: str = ""
    label: str = ""
    spans: str = ""
    separator: str = ""
    meta: tuple[str, ...] = ()
    gold: bool = False
    create_labels: bool = False
    label_choices: Mapping[str, Choice] = field(default_factory=dict)
    empty_is_answer: bool = False
    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    header: bool | None = None
    sheet: str = ""
    tool: str = ""
    found_encoding: str = ""

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> ColumnMapping:
        known = {one.name for one in fields(cls)}
        values = {key: value for key, value in stored.items() if key in known}
        return cls(**{**values, "meta": tuple(values.get("meta", ()))})

    def dump(self) -> dict[str, Any]:
        return {**asdict(self), "meta": list(self.meta)}

    def options(self) -> records.Options:
        return records.Options(
            format=self.format,
            encoding=self.encoding or self.found_encoding,
            delimiter=self.delimiter,
            header=self.header,
            sheet=self.sheet,
            max_cell=settings.IMPORT_MAX_CELL,
            max_columns=settings.IMPORT_MAX_COLUMNS,
            max_bytes=settings.IMPORT_MAX_BYTES,
            max_memory=settings.IMPORT_MEMORY_BYTES,
        )

    def rows(self, source: Iterable[records.Row], task_type: TaskType) -> Iterator[IncomingDocument]:
        for row in source:
            if row.problem:
                yield IncomingDocument("", number=row.number, problem=row.problem)
                continue
            try:
                document = self.row(row, task_type)
            except ROW_FAULTS as error:  # a cell of a kind that nobody thought of
                logger.warning("Row %s could not be read.", row.number, exc_info=True)
                problem = _("The row could not be read (%(kind)s); the worker's log has the details.")
                problem %= {"kind": type(error).__name__}
                document = IncomingDocument("", number=row.number, problem=problem)
            yield document

    def row(self, row: records.Row, task_type: TaskType) -> IncomingDocument:
        cells = spreadsheet.read_back(row.cells)
        own = spreadsheet.is_own(cells)
        if self.text not in cells:
            problem = _("The row has no “%(column)s”.") % {"column": self.text}
            return IncomingDocument("", number=row.number, problem=problem)
        for name, reason in row.faults.items():
            # An error beside the text is kept as it is shown, as "#N/A"; anywhere else it is no value.
            is_kept = name in self.meta and cells[name] is not None
            if name in (self.text, self.id, *self.meta) and not is_kept:
                problem = _cell_fault(name, reason)
                return IncomingDocument("", number=row.number, problem=problem)
        answer, unfit = self._read_answer(row, cells, task_type, own=own)
        try:
            meta = {name: cells[name] for name in self.meta if name in cells}
            if own and "meta" in meta:
                meta |= spreadsheet.fields(meta.pop("meta"))
        except ValueError as error:
            return IncomingDocument("", number=row.number, problem=str(error))
        return IncomingDocument(
            text=_flat(cells[self.text]),
            external_id=_flat(cells.get(self.id)).strip(),
            answer=answer,
            meta=meta,
            number=row.number,
            annotator=_flat(cells.get("annotator")) if own else "",
            gold=cells.get(label_studio.GOLD) is True
            if self.tool == label_studio.TOOL
            else own and cells.get("is_gold") in (True, "true", "TRUE"),
            unfit=unfit,
        )

    def _read_answer(
        self, row: records.Row, cells: Mapping[str, Any], task_type: TaskType, *, own: bool
    ) -> tuple[Answer | None, str]:
        """Return what a row answers, or None and why it cannot be read, which does not cost the text."""
        for name in (self.label, self.spans):
            if name in row.faults:
                return None, _cell_fault(name, row.faults[name])
        if self.tool == label_studio.TOOL and (reason := row.faults.get(label_studio.OTHERS)):
            return None, _("The annotation %(reason)s.") % {"reason": reason}
        try:
            return self._answer(cells, task_type, own=own), ""
        except ValueError as error:
            return None, str(error)
        except ROW_FAULTS as error:  # a cell of a kind that nobody thought of
            logger.warning("The label of row %s could not be read.", row.number, exc_info=True)
            told = _("The label could not be read (%(kind)s); the worker's log has the details.")
            return None, told % {"kind": type(error).__name__}

    def _answer(self, cells: Mapping[str, Any], task_type: TaskType, *, own: bool) -> Answer | None:
        """Return what a row answers; None where it says nothing.

        Our own rows say by their outcome whether an empty answer was decided.
        """
        cell = cells.get(self.label)
        # An export of Label Studio has a column for each control, spans in another one than choices.
        told = cells.values() if self.tool == label_studio.TOOL and not cell else [cell]
        if not task_type.marks_text and any(map(_marks_spans, told)):
            raise ValueError(_("It labels pieces of the text (spans); only labels of texts come in."))
        if self.label not in cells and self.spans not in cells:
            return None
        is_own = own and self.label in task_type.answer_columns
        separator = next(iter(task_type.separators), "") if is_own else self.separator
        if task_type.has_kinds:
            read = {"labels": cells.get(self.label), "spans": cells.get(self.spans)}
            said = task_type.read_columns(read, separator)
        else:
            said = task_type.read_cell(cells[self.label], separator)
        if said != Answer():
            return said
        if is_own:
            is_decided = task_type.may_be_empty and cells.get("outcome") == "answered"
            return said if is_decided else None
        return said if self.empty_is_answer else None


def _marks_spans(cell: Any) -> bool:
    """Tell whether a cell lists pieces of the text: begin, end and label of each, as a list or by name."""
    return any(
        (isinstance(item, list) and [type(part) for part in item] == [int, int, str])
        or (isinstance(item, dict) and {"start", "end", "label"} <= item.keys())
        for item in (cell if isinstance(cell, list) else [])
    )


def _flat(value: Any) -> str:
    return "" if value is None else str(value)


def guess(
    rows: Sequence[records.Row], task_type: TaskType, *, has_labels: bool, tool: str = ""
) -> ColumnMapping:
    """Return the likeliest mapping of a file whose first rows are given; `tool` says whose export it is."""
    whole = [row for row in rows if not row.problem]
    names = list(dict.fromkeys(name for row in whole for name in row.cells))
    if tool == label_studio.TOOL:
        names = [name for name in names if name not in (label_studio.OTHERS, label_studio.GOLD)]
    identity = _named(names, ID)
    rest = [name for name in names if name != identity]
    # A column of lists of names is one of labels, whatever it is called.
    spans = ""
    if task_type.has_kinds:
        spans = next((name for name in rest if _lists_spans(whole, name)), "")
        rest = [name for name in rest if name != spans]
    if task_type.marks_text and not task_type.has_kinds:
        label = next((name for name in rest if _is_of_answers(whole, name, task_type)), "")
    else:
        label = _named(rest, LABEL) or next((name for name in rest if _is_of_lists(whole, name)), "")
    text = _named([name for name in names if name not in (label, spans)], TEXT)
    if not text:
        # The column with the most characters.
        free = [name for name in names if name not in {identity, label, spans}]
        text = max(free, key=lambda name: sum(len(_flat(row.cells.get(name))) for row in whole), default="")
    if not label and len(whole) >= 4 and not task_type.marks_text:
        # In a file without names, labels are the only other column, if its values are short and recur.
        free = [name for name in names if name not in {identity, text}]
        values = [_flat(row.cells.get(free[0])) for row in whole] if len(free) == 1 else []
        if values and len(set(values)) <= len(values) / 2 and max(map(len, values)) <= 60:
            label = free[0]
    cells = [_flat(row.cells.get(label)) for row in whole]
    marks = [mark for mark in task_type.separators if any(mark in cell for cell in cells)]
    return ColumnMapping(
        text=text,
        id=identity,
        label=label,
        spans=spans,
        separator=next(iter([*marks, *task_type.separators]), ""),
        # Of our own export, what is kept beside the texts comes back; the other columns are for reading.
        meta=("meta",)
        if spreadsheet.is_own(names)
        else tuple(name for name in names if name not in {text, identity, label, spans}),
        create_labels=not has_labels,
        # Most texts of such a file have no span.
        empty_is_answer=task_type.marks_text and bool(label or spans),
        tool=tool,
    )


def _is_of_answers(rows: Sequence[records.Row], name: str, task_type: TaskType) -> bool:
    """Tell whether the task can read each cell of a column, and some of them say something."""
    cells = [row.cells[name] for row in rows if row.cells.get(name) not in (None, "")]
    try:
        said = [task_type.read_cell(cell, "") for cell in cells if isinstance(cell, list | str)]
    except ValueError:
        return False
    return len(said) == len(cells) and any(answer != Answer() for answer in said)


def _lists_spans(rows: Sequence[records.Row], name: str) -> bool:
    """Tell whether a column lists pieces of the texts, or their JSON, and some of them are there."""
    return _is_of_answers(rows, name, FLAT_SPAN)


def _is_of_lists(rows: Sequence[records.Row], name: str) -> bool:
    cells = [row.cells[name] for row in rows if row.cells.get(name) not in (None, "", [])]
    return bool(cells) and all(
        isinstance(cell, list) and all(isinstance(item, str) for item in cell) for cell in cells
    )


def _named(names: Sequence[str], known: Sequence[str]) -> str:
    lowered = {name.strip().lower(): name for name in names}
    return next((lowered[name] for name in known if name in lowered), "")


def _cell_fault(column: str, reason: str) -> str:
    return _("The cell in “%(column)s” %(reason)s.") % {"column": column[:LONGEST_KEY], "reason": reason}
