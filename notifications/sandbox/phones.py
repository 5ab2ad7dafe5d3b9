"""What a device would show: what was kept for it while it was away, what replaced what. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from notifications.sandbox.record import Arrival

_FCM_KEYS = 4
"""Collapse keys of which FCM keeps one message each for a device that is away.

It does not promise which; here the latest.
"""
_STORED = timedelta(days=28)
"""For how long a push is kept when it does not say; APNs' 30 days make no difference here."""
_TTL = re.compile(r"(\d+)(?:\.\d+)?s\Z")


@dataclass(slots=True)
class Phones:
    """Which devices are away, and when they were."""

    _away: dict[str, list[tuple[datetime, datetime | None]]] = field(default_factory=dict)

    def leave(self, address: str, now: datetime) -> None:
        """From now on it is switched off, or without a network."""
        spells = self._away.setdefault(address, [])
        if not spells or spells[-1][1] is not None:
            spells.append((now, None))

    def come_back(self, address: str, now: datetime) -> None:
        """It gets what was kept for it."""
        spells = self._away.get(address, [])
        if spells and spells[-1][1] is None:
            spells[-1] = (spells[-1][0], now)

    def shown(self, address: str, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """What its screen shows of these pushes, the oldest first."""
        return shown(arrivals, self._away.get(address, ()))


def shown(
    arrivals: Sequence[Arrival], away: Sequence[tuple[datetime, datetime | None]]
) -> list[Arrival]:
    """Pushes in the order of their arrival, less what was dropped or replaced.

    Of what comes while a device is away, APNs keeps the last one, FCM one for each of four
    collapse keys, and a push service one for each topic; none is kept beyond its expiry, and
    one that is now or never not at all.
    """
    delivered: list[Arrival] = []
    kept: dict[datetime, dict[str, Arrival]] = {}
    for arrival in arrivals:
        spell = next((each for each in away if _covers(each, arrival.received_at)), None)
        if spell is None:
            delivered.append(arrival)
        elif _expires_at(arrival) > arrival.received_at:
            _keep(kept.setdefault(spell[0], {}), arrival)
    for begun, ended in away:
        if ended is not None:
            delivered += [
                each for each in kept.get(begun, {}).values() if _expires_at(each) > ended
            ]
    screen: dict[str, Arrival] = {}
    for arrival in sorted(delivered, key=lambda each: each.number):
        key = _replaces(arrival) or str(arrival.number)
        screen.pop(key, None)
        screen[key] = arrival
    return list(screen.values())


def _covers(spell: tuple[datetime, datetime | None], instant: datetime) -> bool:
    begun, ended = spell
    return begun <= instant and (ended is None or instant < ended)


def _keep(kept: dict[str, Arrival], arrival: Arrival) -> None:
    """Store it for a device that is away, in the place of what it pushes out."""
    match arrival.provider:
        case "apns":
            kept.clear()
            kept["one"] = arrival
        case "fcm":
            key = _of(arrival, "android").get("collapse_key", "")
            kept.pop(key, None)
            kept[key] = arrival
            while len(kept) > _FCM_KEYS:
                kept.pop(next(iter(kept)))
        case _:
            kept[_replaces(arrival) or str(arrival.number)] = arrival


def _replaces(arrival: Arrival) -> str:
    """What it has in common with those whose place it takes on the screen."""
    match arrival.provider:
        case "apns":
            return arrival.headers.get("apns-collapse-id", "")
        case "fcm":
            notification = _of(arrival, "android").get("notification")
            tag = notification.get("tag") if isinstance(notification, dict) else None
            return str(tag or "")
        case _:
            return arrival.headers.get("topic", "")


def _expires_at(arrival: Arrival) -> datetime:
    """Until when a provider keeps it; the instant of its arrival for now or never."""
    at = arrival.received_at
    match arrival.provider:
        case "apns":
            until = int(arrival.headers.get("apns-expiration", "-1"))
            if until > 0:
                return datetime.fromtimestamp(until, UTC)
            return at if until == 0 else at + _STORED
        case "fcm":
            ttl = _TTL.match(str(_of(arrival, "android").get("ttl", "")))
            return at + (_STORED if ttl is None else timedelta(seconds=int(ttl[1])))
        case _:
            return at + timedelta(seconds=int(arrival.headers.get("ttl", "0")))


def _of(arrival: Arrival, block: str) -> dict[str, Any]:
    """A block of FCM's message; empty where it has none."""
    message = msgspec.json.decode(arrival.payload).get("message", {})
    found = message.get(block, {})
    return found if isinstance(found, dict) else {}
