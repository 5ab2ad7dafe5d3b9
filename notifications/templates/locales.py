"""Which of a template's languages somebody is told in. Pure."""

from collections.abc import Iterable, Iterator

FALLBACK = ("fr", "en")
"""The languages for whom a text does not speak to in their own, best first."""


def locale_chain(locale: str, fallback: Iterable[str] = FALLBACK) -> Iterator[str]:
    """Where to look for a text, best first: `ar-DZ`, `ar`, `fr`, `en`."""
    own = locale.split("-")
    wanted = (*("-".join(own[:end]) for end in range(len(own), 0, -1)), *fallback)
    yield from dict.fromkeys(wanted)
