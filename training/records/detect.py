"""Find out a file's format and its encoding from its bytes."""

from __future__ import annotations

import codecs
import zipfile
from pathlib import Path
from typing import BinaryIO

from charset_normalizer import from_bytes

from training.records.alphabets import by_alphabet
from training.records.rows import FileError
from training.storable import DECODER

SAMPLE = 64 * 1024
SCAN = 32 * 1024 * 1024  # bytes that are checked for being UTF-8 before the file is read

SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".parquet": "parquet", ".pq": "parquet", ".txt": "lines",
    ".text": "lines", ".conll": "conll", ".bio": "conll", ".iob": "conll", ".iob2": "conll",
}  # fmt: skip
BOMS = [
    (codecs.BOM_UTF32_LE, "utf-32"),  # NB: before UTF-16, as this mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
MULTI_BYTE = ("shift_jis", "gb18030", "big5", "euc_kr", "euc_jp")
HALF_WIDTH = frozenset(map(chr, range(0xFF61, 0xFFA0)))
# The single-byte encodings that people still save files in, and the common East Asian ones.
LEGACY = [
    "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r", "cp866",
    "mac_cyrillic", *MULTI_BYTE,
]  # fmt: skip
IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
FOREIGN = [
    (b"\x1f\x8b", "is compressed with gzip; unpack it first"),
    (b"BZh", "is compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "is compressed with xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "is compressed with Zstandard; unpack it first"),
    (b"7z\xbc\xaf", "is a 7-Zip archive; unpack it first"),
    (b"%PDF", "is a PDF; export its table as CSV or XLSX"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of Excel 97-2003; save it as .xlsx"),
    (b"SQLite format 3", "is an SQLite database; export the table as CSV"),
    (b"Rar!", "is a RAR archive; unpack it first"),
    *((magic, "is an image, whatever its name says; choose a file with rows of text") for magic in IMAGES),
]
# Formats that are no text.
PACKED = {"xlsx": "workbook (XLSX)", "parquet": "Parquet file", "brat": "ZIP archive of brat's files"}
PACKED_MAGIC = {b"PAR1": "parquet", b"PK\x03\x04": "xlsx"}
# Bytes that text hardly ever holds. Vertical tabs, form feeds and the separators from 0x1C on come from old
# databases and page layouts.
CONTROL = bytes(set(range(0x1C)) - set(b"\t\n\v\f\r\x1a\x1b"))
FEW_CONTROL = 4  # so many are no proof, however short the file is
HTML = ("<!doctype html", "<html", "<head", "<body")


def detect_format(file: BinaryIO, name: str) -> str:
    """Return the key of the reader for a file called `name`.

    Raises `FileError` where name and content disagree, or where the content is of no format with rows.
    """
    head = _head(file, 4096)
    if not head:
        raise FileError(f"{name} is empty.")
    for magic, reason in FOREIGN:
        if head.startswith(magic):
            raise FileError(f"{name} {reason}.")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:20].decode("latin-1").lower().startswith(HTML):
        raise FileError(f"{name} is a web page (HTML); perhaps a login page was saved instead of the file.")
    said = SUFFIXES.get(Path(name).suffix.lower(), "")
    found = packed_format(file)
    if found == "xlsx":
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.namelist()
        except zipfile.BadZipFile as error:
            raise FileError(
                f"{name} is a damaged or incomplete workbook; save or upload it again."
            ) from error
        if any(member.endswith(".ann") for member in members):
            found = "brat"
        elif "xl/workbook.xml" not in members:
            raise FileError(f"{name} is a ZIP archive; unpack it first.")
    if found and said and found != said:
        raise FileError(f"{name} is really a {PACKED[found]}; give it the ending .{found} and try again.")
    if said in PACKED and not found:
        raise FileError(
            f"{name} is not a {PACKED[said]}, though its name says so; give it the ending of what it is, "
            "as .csv, and try again."
        )
    if said in ("csv", "tsv") and _is_object(start.partition(b"\n")[0]):
        raise FileError(f"{name} holds JSON; give it the ending .jsonl and try again.")
    if found or said:
        return found or said
    if start.startswith(b"["):
        return "json"
    return "jsonl" if start.startswith(b"{") else "csv"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(DECODER.decode(line.decode()), dict)
    except (ValueError, RecursionError):
        return False


def packed_format(file: BinaryIO) -> str:
    """Return the format of a packed file by its first bytes, without unpacking anything; "" for any other."""
    head = _head(file, 4)
    return next((format for magic, format in PACKED_MAGIC.items() if head.startswith(magic)), "")


def _head(file: BinaryIO, size: int) -> bytes:
    file.seek(0)
    return file.read(size)


def detect_encoding(file: BinaryIO, name: str) -> str:
    """Return the encoding of a text file: its byte order mark, UTF-8 if it is, else the likeliest one.

    Raises `FileError` for a file that is not text.
    """
    head = _head(file, SAMPLE)
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding
    # UTF-16 without a mark shows by its zero bytes. Spaces and digits have one in every script, so zeros in
    # 10 % of the pairs are enough.
    few = max(1, len(head) // 2) / 10
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > few and even < odd / 20:
        return "utf-16-le"
    if even > few and odd < even / 20:
        return "utf-16-be"
    if len(head) - len(head.translate(None, CONTROL)) > max(FEW_CONTROL, len(head) // 50):
        raise FileError(
            f"{name} is not a text file. Tables are read from CSV, TSV, JSONL, JSON, XLSX and Parquet files."
        )
    decoder = codecs.getincrementaldecoder("utf-8")()
    scanned = file.seek(0)
    sample = b""  # bytes from around the first place that is not UTF-8
    while not sample and scanned < SCAN and (block := file.read(SAMPLE)):
        try:
            decoder.decode(block)
        except UnicodeDecodeError:
            sample = block + file.read(SAMPLE)
        scanned += len(block)
    if not sample:
        return "utf-8"
    # A file in UTF-8 may have a few damaged bytes; most of its characters beyond ASCII are still whole.
    text = sample.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if damaged * 10 < sum(not char.isascii() for char in text) - damaged:
        return "utf-8"
    best = from_bytes(sample, cp_isolation=LEGACY).best()
    likeliest = best.encoding if best else "cp1252"
    if likeliest in MULTI_BYTE:
        found = [char for char in sample.decode(likeliest, "replace") if not char.isascii()]
        # Half-width katakana alone are what Shift JIS makes of another alphabet; people hardly write them.
        if sum(char in HALF_WIDTH for char in found) * 2 < len(found):
            return likeliest
    return by_alphabet(sample) or likeliest
