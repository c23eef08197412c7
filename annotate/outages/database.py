"""Which errors say that the database is away or cannot be written to, and nothing about our statements."""

from __future__ import annotations

import sqlite3

from django.db import InterfaceError, OperationalError
from psycopg import Error as PostgresError

# Of PostgreSQL: no connection; no memory, disk or connections left; shut down or starting.
POSTGRES_CLASSES = ("08", "53", "57P", "58")
SQLITE_CODES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
}


def is_away(error: BaseException) -> bool:
    """Tell whether the same request may well be answered later, with nothing changed but the database."""
    if isinstance(error, InterfaceError):  # the connection was closed under our hands
        return True
    if not isinstance(error, OperationalError):
        return False
    cause = error.__cause__
    if isinstance(cause, PostgresError):
        return cause.sqlstate is None or cause.sqlstate.startswith(POSTGRES_CLASSES)
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)  # its lowest byte is the kind
        return code is not None and code & 0xFF in SQLITE_CODES
    return False
