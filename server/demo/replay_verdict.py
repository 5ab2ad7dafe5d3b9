"""What a replay must have led to, checked against what everybody saw. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kernel.ids import UserId
from messaging.conversations.bodies import preview_of
from server.demo.channel_record import (
    Acknowledged,
    ChannelRecord,
    Delivery,
    Heard,
    Reader,
    Sent,
    Session,
)
from server.demo.channel_verdict import problems_of, ranges, some

_COMPARED = 40
"""Characters of a push's text that are compared: providers and templates shorten long ones."""


class Arrived(NamedTuple):
    """A push that a provider accepted."""

    address: str
    push_id: str
    collapse_key: str
    offset: int
    text: str
    messages: int = 1
    """For how many messages it stands, of which that at `offset` is the last."""


@dataclass(frozen=True, slots=True)
class Allowances:
    """What the faults of a run excuse; nothing by default. No fault excuses a loss."""

    copies: int = 1
    """How often one and the same push may be accepted: one more for each time a dispatcher was
    killed, because what it had in the air may have arrived."""
    present_pushes: bool = False
    """Whether members with a connection may get a push: when their connection was cut, or
    presence forgotten, they were away for a moment."""


@dataclass(slots=True)
class Observations:
    """Everything that was seen. Acknowledgements and deliveries are in the order they came."""

    sent: list[Sent] = field(default_factory=list)
    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    """Idempotency key and offset."""
    delivered: dict[UserId, list[Delivery]] = field(default_factory=dict)
    """For each connected member; one who heard nothing is there with an empty list."""
    pushes: list[Arrived] = field(default_factory=list)
    away: dict[UserId, str] = field(default_factory=dict)
    """The address of each member who is away."""
    present: dict[UserId, str] = field(default_factory=dict)
    """The address of each member with a connection."""
    violations: list[str] = field(default_factory=list)
    """What clients and the push record complain of themselves."""
    reconnected: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a replay. It is good if there is no problem."""

    sent: int
    acknowledged: int
    readers: int
    deliveries: int
    away: int
    pushes: int
    repeated_pushes: int
    present_pushes: int
    reconnected: int
    problems: Sequence[str]

    @property
    def is_good(self) -> bool:
        return not self.problems

    def lines(self) -> Iterator[str]:
        """The verdict for people."""
        each = self.pushes // self.away if self.away else 0
        yield f"sent            {self.sent}"
        yield f"acknowledged    {self.acknowledged}"
        yield f"delivered       {self.deliveries} to {self.readers} connected members"
        yield f"pushes          {self.pushes} to {self.away} members who are away, {each} each"
        if self.repeated_pushes:
            yield f"                and {self.repeated_pushes} repeated with the same id"
        if self.present_pushes:
            yield f"                and {self.present_pushes} to members who were cut off meanwhile"
        if self.reconnected:
            yield f"reconnected     {self.reconnected} times"
        if self.is_good:
            yield "verdict         good: everybody has everything once and in order"
        else:
            yield f"verdict         BAD: {len(self.problems)} problems"
            yield from (f"  - {problem}" for problem in self.problems)


def judge(seen: Observations, allowances: Allowances | None = None) -> Verdict:
    """Hold what was seen against what must be so."""
    allowed = allowances or Allowances()
    offsets = dict(seen.acknowledged)
    by_offset = {offsets[each.key]: each for each in seen.sent if each.key in offsets}
    counted = _Pushes(seen, by_offset, allowed)
    problems = [
        *some("the client side", seen.violations),
        *problems_of(_record(seen)),
        *some("pushes", counted.problems()),
    ]
    return Verdict(
        sent=len(seen.sent),
        acknowledged=len(offsets),
        readers=len(seen.delivered),
        deliveries=sum(len(heard) for heard in seen.delivered.values()),
        away=len(seen.away),
        pushes=counted.first_copies,
        repeated_pushes=counted.repeats,
        present_pushes=counted.to_present,
        reconnected=seen.reconnected,
        problems=problems,
    )


def _record(seen: Observations) -> ChannelRecord:
    """The replayed conversation: everybody is a member, and reads it from its first message."""
    return ChannelRecord(
        sent=seen.sent,
        acknowledged=[Acknowledged(key, offset) for key, offset in seen.acknowledged],
        readers=[
            Reader(user, [Session(heard=[Heard(each) for each in heard])])
            for user, heard in seen.delivered.items()
        ],
    )


class _Pushes:
    """The accepted pushes, by device and message."""

    def __init__(
        self, seen: Observations, by_offset: Mapping[int, Sent], allowed: Allowances
    ) -> None:
        self._by_offset = by_offset
        self._allowed = allowed
        self._away = {address: user for user, address in seen.away.items()}
        self._present = {address: user for user, address in seen.present.items()}
        self._found: dict[tuple[str, int], list[Arrived]] = defaultdict(list)
        for push in seen.pushes:
            self._found[push.address, push.offset].append(push)
        self._senders = {offset: sent.sender for offset, sent in by_offset.items()}
        self.first_copies = sum(address in self._away for address, _ in self._found)
        self.to_present = len(self._found) - self.first_copies
        self.repeats = len(seen.pushes) - len(self._found)

    def problems(self) -> Iterator[str]:
        """Every message told once to each device of who is away, and to nobody else.

        A push may stand for several: for the last ones up to its own.
        """
        offsets = sorted(self._by_offset)
        told: dict[str, set[int]] = defaultdict(set)
        for (address, offset), copies in self._found.items():
            told[address].update(offsets[: bisect_right(offsets, offset)][-copies[0].messages :])
        for address, user in self._away.items():
            missing = [offset for offset in offsets if offset not in told[address]]
            if missing:
                yield f"{user} got no push for {ranges(sorted(missing))}"
        everybody = {**self._present, **self._away}
        for (address, offset), copies in self._found.items():
            if address in everybody:
                away = address in self._away
                yield from self._about(everybody[address], offset, copies, away=away)
            else:
                yield f"a push for offset {offset} went to {address}, which is nobody's"

    def _about(
        self, user: UserId, offset: int, copies: Sequence[Arrived], *, away: bool
    ) -> Iterator[str]:
        push = f"the push to {user} for offset {offset}"
        if not away and not self._allowed.present_pushes:
            yield f"{push} should not exist, they are connected"
        if self._senders.get(offset) == user:
            yield f"{push} tells them of their own message"
        if len({each.push_id for each in copies}) > 1:
            yield f"{push} was accepted under {len({each.push_id for each in copies})} ids"
        if len({each.collapse_key for each in copies}) > 1 or not copies[0].collapse_key:
            yield f"{push} does not replace its own repetition"
        if len(copies) > self._allowed.copies:
            yield f"{push} was accepted {len(copies)} times"
        sent = self._by_offset.get(offset)
        if sent is None:
            yield f"{push} is about a message that nobody here was told of"
        elif any(not _tells(each.text, sent) for each in copies):
            yield f"{push} does not say what was sent"


def _tells(text: str, sent: Sent) -> bool:
    """Whether a push shows who said something, and the beginning of it."""
    beginning = preview_of(sent.text)[:_COMPARED]
    return sent.sender in text and beginning in text
