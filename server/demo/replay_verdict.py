"""What a replay must have led to, checked against what everybody saw. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kernel.ids import UserId
from messaging.bodies import preview_of

SHOWN = 5
"""Problems of one sort that are named; the rest is counted."""

_COMPARED = 40
"""Characters of a push's text that are compared: providers and templates shorten long ones."""


class Sent(NamedTuple):
    """Something a client set out to send, under this idempotency key."""

    key: str
    sender: UserId
    text: str


class Delivery(NamedTuple):
    """A message as a reader was given it."""

    offset: int
    key: str
    sender: str
    text: str


class Arrived(NamedTuple):
    """A push that a provider accepted."""

    address: str
    push_id: str
    collapse_key: str
    offset: int
    text: str


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
        *_some("the client side", seen.violations),
        *_some("sending", _sending(seen, offsets)),
        *(
            problem
            for reader, heard in seen.delivered.items()
            for problem in _some(f"reader {reader}", _reading(heard, by_offset, len(seen.sent)))
        ),
        *_some("pushes", counted.problems()),
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


def _sending(seen: Observations, offsets: Mapping[str, int]) -> Iterator[str]:
    """Everything acknowledged, at offsets 1 to n, each sender's lines in the order spoken."""
    for key, offset in seen.acknowledged:
        if offsets[key] != offset:
            yield f"{key} was acknowledged at {offset} and at {offsets[key]}"
    keys = {each.key for each in seen.sent}
    for key in offsets.keys() - keys:
        yield f"{key} was acknowledged, but never sent"
    for key in sorted(keys - offsets.keys()):
        yield f"{key} was never acknowledged"
    used = Counter(offsets[key] for key in offsets.keys() & keys)
    for offset, times in sorted(used.items()):
        if times > 1:
            yield f"offset {offset} was given to {times} messages"
        if not 1 <= offset <= len(keys):
            yield f"offset {offset} was given out, but only {len(keys)} messages were sent"
    last: dict[UserId, int] = defaultdict(int)
    for each in seen.sent:
        offset = offsets.get(each.key, 0)
        if offset and offset < last[each.sender]:
            yield f"{each.key} of {each.sender} was put before what they said earlier"
        last[each.sender] = max(last[each.sender], offset)


def _reading(heard: Sequence[Delivery], by_offset: Mapping[int, Sent], count: int) -> Iterator[str]:
    """Offsets 1 to n, once and in order, each with what was sent there."""
    before = 0
    seen: set[int] = set()
    for each in heard:
        if each.offset in seen:
            yield f"got offset {each.offset} again"
        elif each.offset < before:
            yield f"got offset {each.offset} after {before}"
        seen.add(each.offset)
        before = max(before, each.offset)
        sent = by_offset.get(each.offset)
        if sent is None:
            yield f"got {each.key} at offset {each.offset}, which nobody here was told of"
        elif (each.key, each.sender, each.text) != sent:
            yield f"got {each.key} by {each.sender} at offset {each.offset} instead of {sent.key}"
    missing = [offset for offset in range(1, count + 1) if offset not in seen]
    if missing:
        yield f"never got {_ranges(missing)}"


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
        """One push per message and device of who is away, and none for anybody else."""
        for address, user in self._away.items():
            missing = [offset for offset in self._by_offset if (address, offset) not in self._found]
            if missing:
                yield f"{user} got no push for {_ranges(sorted(missing))}"
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


def _some(where: str, problems: Iterable[str]) -> Iterator[str]:
    """Some of many problems, and how many there are in all."""
    found = list(problems)
    for problem in found[:SHOWN]:
        yield f"{where}: {problem}"
    if len(found) > SHOWN:
        yield f"{where}: and {len(found) - SHOWN} more like these"


def _ranges(numbers: Sequence[int]) -> str:
    """Offsets, which are sorted, as ranges: 1 to 3, 7, 9 to 12."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = [str(a) if a == b else f"{a} to {b}" for a, b in ranges[:SHOWN]]
    more = f" and {len(ranges) - SHOWN} more ranges" if len(ranges) > SHOWN else ""
    return "offset " + ", ".join(shown) + more
