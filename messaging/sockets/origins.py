"""Whose web pages may connect."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Origins:
    """The server's own origin and those that the operator names; `*` is all of them."""

    named: Sequence[str]

    def welcome(self, origin: str | None, *, host: str) -> bool:
        """Whether a page of `origin` may connect to `host`. Applications send none and may."""
        if origin is None or "*" in self.named or origin in self.named:
            return True
        return _netloc(origin) == host


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # A bracket that is not closed.
        return None
