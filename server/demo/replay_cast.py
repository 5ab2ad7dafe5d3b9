"""Who plays whom in a replay: a user for each nick, connected or away. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kernel.ids import UserId
from notifications.sandbox.fcm import UNMETERED
from notifications.types import AddressKind, Platform
from server.demo.replay_log import ChatLine

EXTRAS = ("guest-1", "guest-2", "guest-3", "guest-4")
"""Silent users for a log that names nobody who is silent, so that somebody reads or is away."""

_NAME_BYTES = 100
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Phone:
    """The device of one user."""

    installation_id: str
    kind: AddressKind
    address: str
    platform: Platform
    locale: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody in a replay. `users` names the user of each nick."""

    users: Mapping[str, UserId]
    speakers: Sequence[UserId]
    readers: Sequence[UserId]
    away: Sequence[UserId]
    phones: Mapping[UserId, Phone]

    @property
    def present(self) -> Sequence[UserId]:
        """Everybody with a connection."""
        return [*self.speakers, *self.readers]

    @property
    def everybody(self) -> Sequence[UserId]:
        return [*self.present, *self.away]


def cast_of(lines: Sequence[ChatLine]) -> Cast:
    """Who speaks is connected; of the others every second one listens, the rest is away."""
    speaking = dict.fromkeys(line.nick for line in lines if line.is_said)
    others = [nick for nick in dict.fromkeys(line.nick for line in lines) if nick not in speaking]
    if len(others) < len(EXTRAS):
        others += [nick for nick in EXTRAS if nick not in speaking and nick not in others]
    users = _users([*speaking, *others])
    silent = [users[nick] for nick in others]
    return Cast(
        users=users,
        speakers=[users[nick] for nick in speaking],
        readers=silent[0::2],
        away=silent[1::2],
        phones={
            user: _phone(user, place) for place, user in enumerate(_alternating(silent, users))
        },
    )


def user_of(nick: str) -> UserId:
    """A nick as a user id: without white space and what cannot be printed, and not too long."""
    printable = "".join(char if char.isprintable() else " " for char in nick)
    name = _UNFIT.sub("_", printable).encode(errors="replace")[:_NAME_BYTES].decode(errors="ignore")
    return UserId(name or "_")


def _users(nicks: Iterable[str]) -> Mapping[str, UserId]:
    """A user for each nick, no two the same."""
    users: dict[str, UserId] = {}
    taken: set[str] = set()
    for nick in nicks:
        plain = name = user_of(nick)
        number = 1
        while name in taken:
            number += 1
            name = UserId(f"{plain}-{number}")
        taken.add(name)
        users[nick] = name
    return users


def _alternating(silent: Sequence[UserId], users: Mapping[str, UserId]) -> Sequence[UserId]:
    """The away first, so that among them the kinds of phones alternate; everybody has one."""
    away = silent[1::2]
    rest = [user for user in users.values() if user not in set(away)]
    return [*away, *rest]


def _phone(user: UserId, place: int) -> Phone:
    """The same phone for the same user in every replay: registering it again confirms it."""
    digest = hashlib.sha256(user.encode()).hexdigest()
    locale = ("ar-DZ", "fr-DZ", "en-GB")[place % 3]
    if place % 2:
        # No address that begins so means anything special to the sandbox.
        apns = AddressKind.APNS
        return Phone(f"replay-{digest[:32]}", apns, "ab" + digest, Platform.IOS, locale)
    fcm = AddressKind.FCM_TOKEN
    address = f"{UNMETERED}-{digest}"
    return Phone(f"replay-{digest[:32]}", fcm, address, Platform.ANDROID, locale)
