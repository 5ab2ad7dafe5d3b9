"""Log lines: JSON for machines, one line per record; short ones for people on a terminal."""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request this task works for; set by the HTTP edge, shown in every line."""

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}
_SECRET_NAMES = re.compile(r"token|secret|password|authorization|api_?key|credential", re.I)
_SECRETS = (
    (re.compile(r"(?i)\b(bearer|apikey|basic)\s+[\w.~+/=-]+"), r"\1 [redacted]"),
    (re.compile(r"\bzaffa_[A-Za-z0-9_-]{8,}"), "[redacted key]"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*"), "[redacted token]"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1[redacted]@"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.S),
     "[redacted private key]"),
)  # fmt: skip
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_COLOURS = {"WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[31;1m"}


def redacted(text: str) -> str:
    """`text` without what looks like a token, an API key, a password in a URL or a private key."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class JsonFormatter(logging.Formatter):
    """One JSON object per record: `at`, `level`, `logger`, `message`, then the fields given."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": _instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        line.update(_fields(record))
        if record.exc_info:
            line["exception"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class HumanFormatter(logging.Formatter):
    """Time, level, message, fields; a traceback below. Colours only on a terminal."""

    def __init__(self, *, colours: bool) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname.lower():<7}"
        if self._colours and record.levelname in _COLOURS:
            level = f"{_COLOURS[record.levelname]}{level}\033[0m"
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        line = f"{_instant(record)[11:23]} {level} {harmless(redacted(record.getMessage()))}"
        if fields:
            line += f"  {harmless(fields)}"
        if record.exc_info:
            line += "\n" + redacted(self.formatException(record.exc_info))
        return line


def configure(*, format: str, level: str, stream: TextIO = sys.stderr) -> None:
    """Send all of this process's log lines to `stream`. `format` is auto, json or human."""
    terminal = stream.isatty()
    human = format == "human" or (format == "auto" and terminal)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(HumanFormatter(colours=terminal) if human else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.error", "uvicorn.access", "asyncio", "aiosqlite", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


def harmless(text: str) -> str:
    """Text of strangers on one line, without what moves a terminal's cursor or its direction."""
    return _CONTROLS.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def _instant(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    given = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
    return {
        name: "[redacted]" if _SECRET_NAMES.search(name) else _plain(value)
        for name, value in given.items()
    }


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return redacted(str(value))
