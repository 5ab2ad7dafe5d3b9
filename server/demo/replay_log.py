"""Reads a chat log that is to be replayed: one JSON object a line, checked before anything runs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import cycle, groupby
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

LINE_BYTES = 65_536
LINES = 100_000
TEXT_CHARACTERS = 8_000

_MINUTES_A_DAY = 24 * 60


class BadLine(Exception):
    """A line of a log breaks a rule; the text names file, line and rule."""

    def __init__(self, file: Path, number: int, rule: str) -> None:
        super().__init__(f"{file}, line {number}: {rule}")
        self.number = number
        self.rule = rule


class Kind(StrEnum):
    """What happened. Who joins or leaves says nothing by it."""

    MESSAGE = "message"
    ACTION = "action"
    JOIN = "join"
    LEAVE = "leave"


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    at: Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    kind: Kind
    nick: Annotated[str, Meta(min_length=1, max_length=200)]
    text: Annotated[str, Meta(max_length=TEXT_CHARACTERS)]


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One line of the log; `at` is in seconds since the log began."""

    number: int
    at: float
    kind: Kind
    nick: str
    text: str

    @property
    def is_said(self) -> bool:
        """Whether this line becomes a message."""
        return self.kind in (Kind.MESSAGE, Kind.ACTION)

    @property
    def spoken(self) -> str:
        """The message's text: an action reads as IRC clients show it."""
        return f"* {self.nick} {self.text}" if self.kind is Kind.ACTION else self.text


def read_log(file: Path, *, limit: int | None = None) -> Sequence[ChatLine]:
    """The lines of a log, or the first `limit` of them. Raises `BadLine` and `OSError`."""
    with file.open("rb") as opened:
        rows = list(_rows(file, opened, limit))
    if not any(row.kind in (Kind.MESSAGE, Kind.ACTION) for _, _, row in rows):
        raise BadLine(file, rows[-1][0] if rows else 1, "nobody has said anything up to here")
    lines: list[ChatLine] = []
    for minute, together in groupby(rows, key=lambda each: each[1]):
        same = list(together)
        # The log knows minutes only: what happened within one is spread over it.
        lines += [
            ChatLine(number, 60 * (minute + place / len(same)), row.kind, row.nick, row.text)
            for place, (number, _, row) in enumerate(same)
        ]
    return lines


def read_phrases(files: Iterable[Path]) -> Sequence[str]:
    """The lines of plain texts that have something on them, the files taken in turns.

    A folder stands for its `*.txt` files. Raises `BadLine` and `OSError`.
    """
    texts = [text for given in files for text in _texts(given)]
    if not texts:
        raise OSError("there are no text files to mix in")
    turns = cycle([iter(_phrases(text)) for text in texts])
    mixed: list[str] = []
    ended = 0
    while ended < len(texts):
        phrase = next(next(turns), None)
        ended = ended + 1 if phrase is None else 0
        if phrase is not None:
            mixed.append(phrase)
    return mixed


def mixed_in(
    lines: Sequence[ChatLine], phrases: Sequence[str], *, every: int = 4
) -> list[ChatLine]:
    """The log, with a phrase after each `every`th thing said, by whoever said that."""
    mixed: list[ChatLine] = []
    waiting = cycle(phrases)
    said = 0
    for line in lines:
        mixed.append(line)
        said += line.is_said
        if line.is_said and said % every == 0:
            mixed.append(replace(line, kind=Kind.MESSAGE, text=next(waiting)))
    return mixed


def _rows(
    file: Path, opened: Iterable[bytes], limit: int | None
) -> Iterator[tuple[int, int, _Row]]:
    """Line number, minute since the first line, and what the line says."""
    days = before = 0
    first: int | None = None
    for number, line in enumerate(opened, start=1):
        if limit is not None and number > limit:
            return
        row = _row(file, number, line)
        minute = int(row.at[:2]) * 60 + int(row.at[3:])
        # The log names no day: a clock that went back has passed midnight.
        days += minute < before
        before = minute
        minute += days * _MINUTES_A_DAY
        first = minute if first is None else first
        yield number, minute - first, row


def _row(file: Path, number: int, line: bytes) -> _Row:
    if number > LINES:
        raise BadLine(file, number, f"a log has at most {LINES} lines")
    if len(line) > LINE_BYTES:
        raise BadLine(file, number, f"a line has at most {LINE_BYTES} bytes")
    if not line.strip():
        raise BadLine(file, number, "a line must hold a JSON object, this one is empty")
    try:
        row = _decoder.decode(line)
    except msgspec.MsgspecError as error:
        raise BadLine(file, number, str(error)) from None
    except UnicodeDecodeError:
        raise BadLine(file, number, "a line must be UTF-8") from None
    if "\x00" in row.text:
        raise BadLine(file, number, "a text must not hold a NUL character")
    return row


_decoder = msgspec.json.Decoder(_Row)


def _texts(given: Path) -> Sequence[Path]:
    return sorted(given.glob("*.txt")) if given.is_dir() else [given]


def _phrases(file: Path) -> Sequence[str]:
    phrases: list[str] = []
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        try:
            phrase = line.decode().strip()
        except UnicodeDecodeError:
            raise BadLine(file, number, "a line must be UTF-8") from None
        if "\x00" in phrase or len(phrase) > TEXT_CHARACTERS:
            raise BadLine(
                file, number, f"a phrase has at most {TEXT_CHARACTERS} characters, none of them NUL"
            )
        if phrase:
            phrases.append(phrase)
    return phrases
