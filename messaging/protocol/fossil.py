"""Differences between two payloads, in the format of Fossil's deltas. Pure.

A delta is the size of its result and a line end, then commands: `<count>@<offset>,` copies from
what came before, `<count>:<bytes>` inserts, and `<checksum>;` ends it. Numbers are in base 64.
"""

import re
from typing import Final, NamedTuple

from messaging.protocol.codes import DisconnectCode, ProtocolViolation

BLOCK: Final = 16
"""Bytes that must agree before it is noticed, somewhere between the two ends."""

LONG: Final = 4 * BLOCK
"""What is found is copied at once from this size on; before that something better may follow."""

LOOKS: Final = 32
"""How often something better is looked for."""

PATIENCE: Final = 32
"""Places looked at in vain before some are passed over, and some more after as many again."""

COMMANDS: Final = 512
"""Once a delta has so many, what is left is inserted: it is not worth more time."""

_DIGITS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_COMMAND: Final = re.compile(rb"([0-9A-Z_a-z~]{1,6})([@:;\n])")
_END_OF_COPY: Final = re.compile(rb"([0-9A-Z_a-z~]{1,6}),")


def delta(before: bytes, after: bytes) -> bytes:
    """What makes `after` of `before`; not always less than `after` itself.

    Between texts in UTF-8 it is text in UTF-8: what is inserted consists of whole characters.
    """
    shorter = min(len(before), len(after))
    head = _agree_at_start(before, 0, after, 0, shorter)
    tail = _agree_at_end(before, len(before), after, len(after), shorter - head)
    writer = _Writer(after)
    writer.copy(0, 0, head)
    _find(writer, before, after, head=head, tail=tail)
    writer.copy(len(before) - tail, len(after) - tail, tail)
    writer.insert_up_to(len(after))
    return b"%b\n%b%b;" % (
        _number(len(after)), b"".join(writer.pieces), _number(checksum(after)),
    )  # fmt: skip


def apply(before: bytes, delta: bytes, *, limit: int) -> bytes:
    """What `delta` makes of `before`: `limit` bytes at most.

    Nothing is made before it is known to fit. Raises `ProtocolViolation` for what is no delta.
    """
    size, kind, at = _command(delta, 0)
    if kind != b"\n":
        raise _violation("does not begin with its size")
    if size > limit:
        raise _violation("makes more than is allowed")
    made: list[bytes] = []
    total = 0
    while True:
        count, kind, at = _command(delta, at)
        if kind == b";":
            break
        total += count
        if total > size:
            raise _violation("makes more than it says")
        if kind == b"@":
            source, at = _offset(delta, at)
            if source + count > len(before):
                raise _violation("copies what is not there")
            made.append(before[source : source + count])
        elif kind == b":" and at + count <= len(delta):
            made.append(delta[at : at + count])
            at += count
        else:
            raise _violation("is cut off")
    after = b"".join(made)
    if total != size or at != len(delta) or checksum(after) != count:
        raise _violation("does not make what it says")
    return after


def checksum(data: bytes) -> int:
    """The sum of the big-endian words of 32 bits, the last one filled up with zeros."""
    lanes = -(-len(data) // 8)
    number = int.from_bytes(data.ljust(lanes * 8, b"\0"), "big")
    words = int.from_bytes(b"\0\0\0\0\xff\xff\xff\xff" * lanes, "big")
    # In lanes of 64 bits the words cannot overflow, and then the remainder is the sum of lanes:
    # a tenth of the time that adding them one by one takes.
    return ((number & words) + (number >> 32 & words)) % (2**64 - 1) & 0xFFFFFFFF


# --- making ------------------------------------------------------------------------------------


class _Writer:
    """Writes commands from left to right; what is not copied is inserted."""

    __slots__ = ("after", "done", "pieces")

    def __init__(self, after: bytes) -> None:
        self.after = after
        self.pieces: list[bytes] = []
        self.done = 0

    def copy(self, source: int, target: int, count: int) -> None:
        """Take `count` bytes at `target` from `source`, less what would cut characters."""
        start, end = _whole_characters(self.after, target, target + count)
        command = b"%b@%b," % (_number(end - start), _number(source + start - target))
        # Inserting the rest anew after a copy takes a command as well.
        if end - start > len(command) + 2:
            self.insert_up_to(start)
            self.pieces.append(command)
            self.done = end

    def insert_up_to(self, target: int) -> None:
        """Say in full what nothing else said up to `target`."""
        if target > self.done:
            count = _number(target - self.done)
            self.pieces.append(b"%b:%b" % (count, self.after[self.done : target]))
            self.done = target


class _Match(NamedTuple):
    """So many bytes that stand in both, and where."""

    size: int
    source: int
    target: int


def _find(writer: _Writer, before: bytes, after: bytes, *, head: int, tail: int) -> None:
    """Copy what stands in both between the ends that agree, wherever it stands there.

    The blocks of `before` are looked for at every place of `after`. The longer nothing is found
    the more places are passed over, so that two strangers are done with soon.
    """
    at, end = head, len(after) - tail
    if end - at < BLOCK:
        return
    # Of equal blocks the first one counts.
    starts = reversed(range(head, len(before) - tail - BLOCK + 1, BLOCK))
    blocks = {before[start : start + BLOCK]: start for start in starts}
    shift, missed, looks = 0, 0, LOOKS

    def match(target: int) -> _Match | None:
        block = after[target : target + BLOCK]
        source = target + shift
        # What comes next moved as far as what was found last, more likely than not.
        if source < 0 or before[source : source + BLOCK] != block:
            source = blocks.get(block, -1)
        if source < 0:
            return None
        back = _agree_at_end(before, source, after, target, min(source, target - writer.done))
        source, target = source - back, target - back
        most = min(len(before) - source, end - target)
        return _Match(_agree_at_start(before, source, after, target, most), source, target)

    while blocks and at <= end - BLOCK and len(writer.pieces) < COMMANDS:
        found = match(at)
        if found is None:
            missed += 1
            # An odd step meets every alignment sooner or later.
            at += 1 + missed // PATIENCE * 2
            continue
        if found.size < LONG and looks:
            # Much of what is published repeats itself: a little further on may be the place
            # where all of this comes from.
            looks -= 1
            places = range(at + 1, min(at + BLOCK, end - BLOCK) + 1)
            found = max([found, *filter(None, map(match, places))])
        missed, shift = 0, found.source - found.target
        writer.copy(found.source, found.target, found.size)
        at = found.target + found.size


def _agree_at_start(before: bytes, source: int, after: bytes, target: int, most: int) -> int:
    """How many bytes agree from here on, at most `most`; by leaps, then by halves."""
    least, reach = 0, 2 * BLOCK
    while (
        reach < most
        and before[source + least : source + reach] == after[target + least : target + reach]
    ):
        least, reach = reach, 2 * reach
    most = min(most, reach)
    while least < most:
        half = (least + most + 1) // 2
        if before[source + least : source + half] == after[target + least : target + half]:
            least = half
        else:
            most = half - 1
    return least


def _agree_at_end(before: bytes, source: int, after: bytes, target: int, most: int) -> int:
    """How many bytes agree up to here, at most `most`."""
    least, reach = 0, 2 * BLOCK
    while (
        reach < most
        and before[source - reach : source - least] == after[target - reach : target - least]
    ):
        least, reach = reach, 2 * reach
    most = min(most, reach)
    while least < most:
        half = (least + most + 1) // 2
        if before[source - half : source - least] == after[target - half : target - least]:
            least = half
        else:
            most = half - 1
    return least


def _whole_characters(text: bytes, start: int, end: int) -> tuple[int, int]:
    """The range without the bytes at its ends that belong to characters cut there."""
    for _ in range(3):
        if start < end and text[start] & 0xC0 == 0x80:
            start += 1
        if start < end < len(text) and text[end] & 0xC0 == 0x80:
            end -= 1
    return start, end


def _number(value: int) -> bytes:
    digits = bytearray()
    while True:
        digits.append(_DIGITS[value & 63])
        value >>= 6
        if not value:
            digits.reverse()
            return bytes(digits)


# --- reading -----------------------------------------------------------------------------------


def _command(delta: bytes, at: int) -> tuple[int, bytes, int]:
    """The number and the kind of the command here, and where what follows it begins."""
    found = _COMMAND.match(delta, at)
    if found is None:
        raise _violation("is cut off")
    return _value(found[1]), found[2], found.end()


def _offset(delta: bytes, at: int) -> tuple[int, int]:
    found = _END_OF_COPY.match(delta, at)
    if found is None:
        raise _violation("copies from nowhere")
    return _value(found[1]), found.end()


def _value(digits: bytes) -> int:
    value = 0
    for digit in digits:
        value = value << 6 | _VALUES[digit]
    return value


def _violation(what: str) -> ProtocolViolation:
    return ProtocolViolation(DisconnectCode.BAD_REQUEST, f"delta {what}")
