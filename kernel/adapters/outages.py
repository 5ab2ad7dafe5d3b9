"""Outages: which errors of a database mean "not now" instead of "never"."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from kernel.errors import Unavailable

# PostgreSQL's classes of errors: connection, authorisation, unknown database, resources,
# intervention (also of its own timeouts), system; and a lock that others hold for too long.
_STATES = ("08", "28", "3D", "53", "57", "58", "55P03")

_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
    }
)


@contextmanager
def outages() -> Iterator[None]:
    """Turn what a database that is away raises into `Unavailable`.

    Whether a transaction was kept whose end met an outage, nobody knows.
    """
    try:
        yield
    except (OSError, sa.exc.TimeoutError, sa.exc.DBAPIError, sqlite3.Error) as error:
        if not is_outage(error):
            raise
        raise Unavailable("The database does not answer.", reason=_reason(error)) from error


def is_outage(error: Exception) -> bool:
    """Whether the database, not the statement, is to blame."""
    match error:
        case OSError() | sa.exc.TimeoutError():
            return True
        case sa.exc.DBAPIError(connection_invalidated=True):
            return True
        case sa.exc.DBAPIError(orig=origin) if origin is not None:
            state: str = getattr(origin, "sqlstate", None) or ""
            return state.startswith(_STATES) or _sqlite_code(origin) in _CODES
        case _:
            return _sqlite_code(error) in _CODES


def _sqlite_code(error: BaseException) -> int:
    """The primary code, without what the extended one adds."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _reason(error: Exception) -> str:
    origin = getattr(error, "orig", None) or error
    return str(origin).partition("\n")[0] or type(origin).__name__
