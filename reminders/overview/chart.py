"""The coming day as bars of five minutes, stacked by class, in SVG. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape

from reminders.firing import FiringClass
from reminders.operating_routes import MinuteBody

_SHADES = (
    "#3b82c4", "#1aa3a3", "#8a63d2", "#c05fb0", "#9a8c78", "#d9822b", "#2f9e58", "#7fb135",
    "#d1495b", "#e0a800", "#6c7f93", "#5b6ee1",
)  # fmt: skip
COLOURS = dict(zip(map(str, FiringClass), _SHADES, strict=True))
"""Told apart on white and on black."""

_STEP = timedelta(minutes=5)
_BARS = 24 * 12 + 1
_WIDE, _HIGH, _TOP, _FOOT = 4, 150, 14, 20
"""Of a bar, of the tallest one, and of the room above and below them."""


def chart(minutes: Sequence[MinuteBody], now: datetime, *, label: str) -> str:
    """All that goes off from now on, with what each bar stands for in its tooltip."""
    return "".join(_svg(minutes, _floor(now), label))


def _svg(minutes: Sequence[MinuteBody], start: datetime, label: str) -> Iterator[str]:
    bars: dict[int, dict[str, int]] = {}
    for each in minutes:
        bar = bars.setdefault((each.at - start) // _STEP, {})
        bar[each.firing_class] = bar.get(each.firing_class, 0) + each.firings
    highest = max((sum(bar.values()) for bar in bars.values()), default=0)
    base, width = _TOP + _HIGH, _BARS * _WIDE
    yield f'<svg viewBox="0 0 {width} {base + _FOOT}" role="img" aria-label="{escape(label)}">'
    yield f'<text x="2" y="11">{highest}</text>'
    yield f'<path class="axis" d="M0 {base}H{width}M0 {_TOP}H{width}"/>'
    yield from _hours(start, base)
    for place, bar in sorted(bars.items()):
        yield _bar(place, bar, start + place * _STEP, base, highest)
    yield "</svg>"


def _bar(place: int, bar: dict[str, int], at: datetime, base: int, highest: int) -> str:
    parts = ", ".join(f"{name} {count}" for name, count in bar.items())
    until = at + _STEP
    rects, below = "", 0
    for name in (name for name in COLOURS if name in bar):
        below += bar[name]
        top, high = base - _HIGH * below / highest, _HIGH * bar[name] / highest
        rects += (
            f'<rect x="{place * _WIDE}" y="{top:.2f}" width="{_WIDE - 0.5}" height="{high:.2f}"'
            f' fill="{COLOURS[name]}"/>'
        )
    said = f"{at:%H:%M}–{until:%H:%M} UTC · {sum(bar.values())}: {parts}"
    return f"<g><title>{escape(said)}</title>{rects}</g>"


def _hours(start: datetime, base: int) -> Iterator[str]:
    for place in range(_BARS):
        at = start + place * _STEP
        if at.minute == 0 and at.hour % 2 == 0:
            x = place * _WIDE
            yield f'<path class="axis" d="M{x} {base}v4"/>'
            yield f'<text x="{x}" y="{base + 16}" text-anchor="middle">{at:%H}h</text>'


def _floor(at: datetime) -> datetime:
    return at.replace(minute=at.minute - at.minute % 5, second=0, microsecond=0)
