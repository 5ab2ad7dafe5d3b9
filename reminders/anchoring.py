"""Where an event's parts may hang: on a day, on the event, or on one another. Pure."""

import re
from collections.abc import Sequence

from kernel.errors import InvalidInput
from reminders.days import MAIN, Anchor
from reminders.errors import AnchorNotFound, EventFull
from reminders.times import checked_day, checked_zone

_CODE = re.compile(r"[a-z][a-z0-9_]{0,31}")

ANCHORS = 20
"""Parts of one event."""

FARTHEST = 730
"""Days between a part and what it hangs on."""

DEPTH = 3
"""Parts that hang one on the other, the last of them on a day or on the event itself."""


def checked_anchor(anchor: Anchor) -> Anchor:
    """The part as given. Refuses days, zones and names that nobody can mean."""
    if not _CODE.fullmatch(anchor.code) or anchor.code == MAIN:
        raise InvalidInput(
            "code", "must be a to z, digits and _, begin with a letter, and not be 'main'"
        )
    if (anchor.day is None) == (anchor.days is None):
        raise InvalidInput("day", "or days is required, and not both")
    if anchor.day is not None:
        checked_day(anchor.day)
        if anchor.of != MAIN:
            raise InvalidInput("of", "belongs to days")
    if anchor.days is not None and abs(anchor.days) > FARTHEST:
        raise InvalidInput("days", "must lie within two years of what it hangs on")
    if anchor.zone is not None:
        checked_zone(anchor.zone)
    return anchor


def with_anchor(anchors: Sequence[Anchor], anchor: Anchor) -> tuple[Anchor, ...]:
    """The parts with one of them put in place of the earlier one. What hangs on it goes along.

    Refuses more parts than an event may have, chains that are too long, and circles.
    """
    others = [each for each in anchors if each.code != anchor.code]
    if len(others) >= ANCHORS:
        raise EventFull("The event has as many parts as it may.", limit=ANCHORS)
    if anchor.of != MAIN and anchor.of not in {each.code for each in (*others, anchor)}:
        raise AnchorNotFound("The event has no such part.", code=anchor.of)
    by_code = {each.code: each for each in (*others, anchor)}
    for each in by_code.values():
        _check_chain(each, by_code)
    return (*others, anchor)


def _check_chain(anchor: Anchor, by_code: dict[str, Anchor]) -> None:
    seen: list[str] = []
    found: Anchor | None = anchor
    while found is not None:
        if found.code in seen:
            raise InvalidInput("of", "must not lead back to the part itself")
        seen.append(found.code)
        if len(seen) > DEPTH:
            raise InvalidInput("of", f"must not make a chain of more than {DEPTH} parts")
        found = by_code.get(found.of) if found.days is not None else None
