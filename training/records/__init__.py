"""Readers of files: CSV, TSV, JSONL, JSON, XLSX, Parquet and plain lines as streams of rows."""

from __future__ import annotations

from training.records.reading import READERS, read, sample
from training.records.rows import FileError, Findings, Options, ReadMeter, Row

__all__ = ["READERS", "FileError", "Findings", "ReadMeter", "Options", "Row", "read", "sample"]
