"""An iCalendar text as components and their lines (RFC 5545, 3.1): what there is, unjudged. Pure.

The library unfolds and splits lines. It does not build the calendar: it would keep the zones
that strangers describe for everybody else, and expand whatever they say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from icalendar.parser import Contentlines

from kernel.errors import InvalidInput

LINES = 20_000
DEPTH = 5


@dataclass(frozen=True, slots=True)
class Property:
    """The value of a line, its text unescaped, with its parameters."""

    value: str
    params: Mapping[str, str]


@dataclass(slots=True)
class Component:
    """What lies between BEGIN and END."""

    name: str
    properties: dict[str, list[Property]] = field(default_factory=dict)
    parts: list["Component"] = field(default_factory=list)

    def first(self, name: str) -> Property | None:
        """The first property of a name."""
        found = self.properties.get(name)
        return found[0] if found else None

    def text(self, name: str) -> str:
        """The value of the first property of a name; empty if there is none."""
        found = self.first(name)
        return "" if found is None else found.value

    def all(self, name: str) -> list[Property]:
        return self.properties.get(name, [])

    def walk(self, *names: str) -> Iterator["Component"]:
        """The parts of these names, at any depth, in order."""
        for part in self.parts:
            if part.name in names:
                yield part
            else:
                yield from part.walk(*names)


def calendar_of(text: str) -> Component:
    """The calendars of a text, as parts of one nameless component.

    Lines that cannot be read are passed over, as other programs do. Refuses what is no
    calendar at all, or has no end.
    """
    # Programs on Windows begin files with a mark that they are UTF-8.
    text = text.removeprefix("\ufeff")
    if "BEGIN:VCALENDAR" not in text[:1000].upper():
        raise _refused("must be an iCalendar text, which begins with BEGIN:VCALENDAR")
    if text.count("\n") > LINES:
        raise _refused(f"must have at most {LINES} lines")
    whole = Component("")
    open_parts = [whole]
    for line in Contentlines.from_ical(text):  # type: ignore[no-untyped-call]
        if not line:
            continue
        try:
            name, params, value = line.parts()
        except ValueError:
            continue
        match name.upper():
            case "BEGIN":
                if len(open_parts) > DEPTH:
                    raise _refused(f"must not nest deeper than {DEPTH}")
                part = Component(value.strip().upper())
                open_parts[-1].parts.append(part)
                open_parts.append(part)
            case "END":
                if len(open_parts) == 1 or open_parts[-1].name != value.strip().upper():
                    raise _refused(f"ends {value[:40]!r} where that was not begun")
                open_parts.pop()
            case other:
                given = {
                    key.upper(): each if isinstance(each, str) else ",".join(each)
                    for key, each in params.items()
                }
                found = Property(value, given)
                open_parts[-1].properties.setdefault(other, []).append(found)
    if len(open_parts) != 1:
        raise _refused(f"does not end {open_parts[-1].name[:40]!r}")
    return whole


def _refused(rule: str) -> InvalidInput:
    return InvalidInput("calendar", rule)
