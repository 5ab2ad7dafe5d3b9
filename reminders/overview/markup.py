"""Pieces of the operators' page. Pure.

What they are given is HTML already, except where it says that it is text.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape

from reminders.overview.words import Words


def section(title: str, body: Iterable[str]) -> Iterator[str]:
    """A part of the page under its title, which is text."""
    yield f"<section><h2>{escape(title)}</h2>"
    yield from body
    yield "</section>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls by itself where it is too wide. Its head is text."""
    heads = "".join(f"<th>{escape(each)}</th>" for each in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{heads}</tr>{body}</table></div>'


def form(words: Words, said: str, *, path: str, method: str, inputs: str = "") -> str:
    """A button, which says a text, and what it asks of the API. Paths begin beside the page's."""
    return (
        f'<form data-path="{escape(path)}" data-method="{method}"'
        f' data-done="{escape(words.done)}" data-failed="{escape(words.failed)}">'
        f"{inputs}<button>{escape(said)}</button><output></output></form>"
    )


def instant(at: datetime) -> str:
    """An instant to the second, in UTC."""
    return f'<time dir="ltr" datetime="{at.isoformat()}">{at:%Y-%m-%d %H:%M:%S}</time>'


def wall(text: str) -> str:
    """A wall time as it is in answers, to the minute or second that it has."""
    return ltr(text.replace("T", " "))


def ltr(text: str) -> str:
    """A text that is read from the left whatever is around it."""
    return f'<bdi dir="ltr">{escape(text)}</bdi>'
