"""What must be so of a channel whatever happened to the servers, held against its record. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kernel.ids import UserId
from server.demo.channel_record import (
    Acknowledged,
    ChannelRecord,
    Delivery,
    Heard,
    Membership,
    Reader,
    Sent,
    Session,
)

SHOWN = 5
"""Problems of one sort that are named; the rest is counted."""


def problems_of(record: ChannelRecord, *, grace: float = 0.0) -> Iterator[str]:
    """Everything that must not be, in words.

    `grace` is how many seconds the news that somebody was removed may take to reach all nodes.
    """
    placed = _places(record)
    top = len(record.sent) if record.log is None else max(placed, default=0)
    yield from some("sending", _sending(record))
    if record.log is not None:
        yield from some("the log", _storing(record, record.log))
    yield from some("epochs", _epochs(record))
    for reader in record.readers:
        where = f"reader {reader.user}"
        yield from some(where, _reading(reader, placed, top))
        yield from some(where, _beginning(reader, record, placed))
        if record.memberships is not None:
            spans = record.memberships.get(reader.user, [])
            yield from some(where, _trespassing(reader, spans, record, grace))


def some(where: str, problems: Iterable[str]) -> Iterator[str]:
    """Some of many problems, and how many there are in all."""
    found = list(problems)
    for problem in found[:SHOWN]:
        yield f"{where}: {problem}"
    if len(found) > SHOWN:
        yield f"{where}: and {len(found) - SHOWN} more like these"


def ranges(numbers: Sequence[int]) -> str:
    """Offsets, which are sorted, as ranges: 1 to 3, 7, 9 to 12."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    shown = [str(a) if a == b else f"{a} to {b}" for a, b in found[:SHOWN]]
    more = f" and {len(found) - SHOWN} more ranges" if len(found) > SHOWN else ""
    return "offset " + ", ".join(shown) + more


def _places(record: ChannelRecord) -> Mapping[int, Delivery]:
    """What stands at each offset: in the log, or where senders were told that it does."""
    if record.log is not None:
        return {each.offset: each for each in record.log}
    offsets = {each.key: each.offset for each in record.acknowledged}
    return {
        offsets[sent.key]: Delivery(offsets[sent.key], sent.key, sent.sender, sent.text)
        for sent in record.sent
        if sent.key in offsets
    }


# --- sending --------------------------------------------------------------------------------------


def _sending(record: ChannelRecord) -> Iterator[str]:
    """Everything acknowledged, once, and in the order in which it was sent."""
    offsets = {each.key: each.offset for each in record.acknowledged}
    for key, offset, _ in record.acknowledged:
        if offsets[key] != offset:
            yield f"{key} was acknowledged at {offset} and at {offsets[key]}"
    keys = {each.key for each in record.sent}
    for key in offsets.keys() - keys:
        yield f"{key} was acknowledged, but never sent"
    for key in sorted(keys - offsets.keys() - record.refused):
        yield f"{key} was never acknowledged"
    used = Counter(offsets[key] for key in offsets.keys() & keys)
    for offset, times in sorted(used.items()):
        if times > 1:
            yield f"offset {offset} was given to {times} messages"
        if not 1 <= offset <= len(keys):
            yield f"offset {offset} was given out, but only {len(keys)} messages were sent"
    yield from _sent_in_order(record.sent, offsets)
    yield from _acknowledged_in_order(record.sent, record.acknowledged, offsets)


def _sent_in_order(sent: Iterable[Sent], offsets: Mapping[str, int]) -> Iterator[str]:
    """Who sends one thing after the other finds them in this order."""
    last: dict[UserId, int] = defaultdict(int)
    for each in sent:
        offset = offsets.get(each.key, 0)
        if offset and offset < last[each.sender]:
            yield f"{each.key} of {each.sender} was put before what they said earlier"
        last[each.sender] = max(last[each.sender], offset)


def _acknowledged_in_order(
    sent: Iterable[Sent], acknowledged: Iterable[Acknowledged], offsets: Mapping[str, int]
) -> Iterator[str]:
    """What is sent once something was acknowledged comes after it, whoever sends it."""
    told = sorted(acknowledged, key=lambda each: each.at)
    highest = number = 0
    for each in sorted(sent, key=lambda each: each.at):
        while number < len(told) and told[number].at < each.at:
            highest = max(highest, told[number].offset)
            number += 1
        offset = offsets.get(each.key)
        if offset is not None and offset < highest:
            yield f"{each.key} got offset {offset}, {highest} was acknowledged before it was sent"


def _storing(record: ChannelRecord, log: Sequence[Delivery]) -> Iterator[str]:
    """The log holds everything acknowledged where it was said to be, and nothing else or twice."""
    by_key: dict[str, list[Delivery]] = defaultdict(list)
    for place, each in enumerate(log, 1):
        if each.offset != place:
            yield f"has offset {each.offset} at place {place}"
        by_key[each.key].append(each)
    for key, offset in {each.key: each.offset for each in record.acknowledged}.items():
        if offset not in [each.offset for each in by_key.get(key, ())]:
            yield f"lost {key}, which was acknowledged at {offset}"
    sent = {each.key: each for each in record.sent}
    for key, stored in by_key.items():
        if len(stored) > 1:
            yield f"holds {key} {len(stored)} times: {ranges([each.offset for each in stored])}"
        if key not in sent:
            yield f"holds {key}, which nobody sent"
        elif stored[0][1:] != sent[key][:3]:
            yield f"holds something else under {key} than was sent"


# --- reading --------------------------------------------------------------------------------------


def _epochs(record: ChannelRecord) -> Iterator[str]:
    """A stream has one epoch for as long as its database lives."""
    epochs = dict.fromkeys(
        session.epoch for reader in record.readers for session in reader.sessions
    )
    if len(epochs) > 1:
        yield "was in " + ", then in ".join(epochs)


def _reading(reader: Reader, placed: Mapping[int, Delivery], top: int) -> Iterator[str]:
    """From where the reader began: every offset once and in order, each with what was sent."""
    if not reader.sessions:
        return
    had: set[int] = set()
    for session in reader.sessions:
        if session.since is not None:
            # What it did not say that it had, the client threw away with an earlier session.
            had = {offset for offset in had if offset <= session.since}
        yield from _session(session, had, placed)
    for each in reader.filled:
        yield from _content(each, placed)
    had.update(each.delivery.offset for each in reader.filled)
    begun = reader.sessions[0].begins_after
    last = top if reader.stays else max(had, default=begun)
    if not reader.stays:
        # What a server said that it cannot recover, they may have left before reading it.
        had.update(*(session.hole for session in reader.sessions))
    missing = [offset for offset in range(begun + 1, last + 1) if offset not in had]
    if missing:
        yield f"never got {ranges(missing)}"


def _session(session: Session, had: set[int], placed: Mapping[int, Delivery]) -> Iterator[str]:
    before = session.begins_after
    for each in session.heard:
        offset = each.delivery.offset
        if offset in had:
            yield f"got offset {offset} again"
        elif offset < before:
            yield f"got offset {offset} after {before}"
        elif offset > before + 1:
            yield f"went from {before} to {offset} without being told"
        had.add(offset)
        before = max(before, offset)
        yield from _content(each, placed)
    if session.recovered and before < session.offset:
        yield f"was told to have all up to {session.offset}, but got {before}"


def _content(heard: Heard, placed: Mapping[int, Delivery]) -> Iterator[str]:
    got = heard.delivery
    known = placed.get(got.offset)
    if known is None:
        yield f"got {got.key} at offset {got.offset}, which nobody here was told of"
    elif got != known:
        yield f"got {got.key} by {got.sender} at offset {got.offset} instead of {known.key}"


def _beginning(
    reader: Reader, record: ChannelRecord, placed: Mapping[int, Delivery]
) -> Iterator[str]:
    """Nothing that was sent after a subscription was answered may lie before its position."""
    offsets = {each.key: offset for offset, each in placed.items()}
    for session in reader.sessions:
        for sent in record.sent:
            offset = offsets.get(sent.key)
            if offset is not None and sent.at > session.at and offset <= session.offset:
                yield f"began at {session.offset}, before {sent.key} was sent, which is {offset}"


def _trespassing(
    reader: Reader, spans: Sequence[Membership], record: ChannelRecord, grace: float
) -> Iterator[str]:
    """What was sent while somebody was no member must not come before they are one again."""
    sent_at = {each.key: each.at for each in record.sent}
    for session in reader.sessions:
        for each in session.heard:
            began = sent_at.get(each.delivery.key)
            if began is not None and not any(
                span.begins <= each.at and began <= span.ends + grace for span in spans
            ):
                yield f"got {each.delivery.key} at offset {each.delivery.offset} as no member"
