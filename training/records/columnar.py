"""Reader of Parquet files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow
import pyarrow.parquet

from training.records.header import columns
from training.records.plain import plain
from training.records.rows import FileError, Options, Row

BATCH = 100  # one long text that all rows share is written once in the file, and a hundred times in a batch
BUFFER = 1024 * 1024  # of each column; else its whole part of a row group is held


def read_parquet(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield the rows of a Parquet file, batch by batch; a row's number is its ordinal from 1."""
    size = file.seek(0, os.SEEK_END)
    try:
        with pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER) as table:
            names = columns(table.schema_arrow.names, len(table.schema_arrow.names), options.max_columns)
            number, rows = 0, table.metadata.num_rows
            for batch in table.iter_batches(batch_size=BATCH, use_threads=False):
                if options.meter:
                    options.meter.advance(number + len(batch), rows, size)
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    yield Row(number, dict(zip(names, map(plain, values), strict=True)))
    except MemoryError:  # NB: Arrow's own kind of it is an ArrowException as well
        raise
    except (pyarrow.ArrowException, OSError) as error:
        raise FileError(f"{name} is damaged or incomplete, or not a Parquet file.") from error
