"""Subscriptions of one connection, whatever order Redis answers and speaks up in."""

from contextlib import suppress

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from kernel.adapters.redis_ear import PLAIN, SHARDED, Ear, Ears
from kernel.adapters.redis_wire import AT_ONCE, Refused

A, B = b"a", b"b"
MOVED_A = f"MOVED {key_slot(A)} 127.0.0.1:2"


class Paper:
    """A wire that keeps what was written."""

    def __init__(self) -> None:
        self.commands: list[list[bytes]] = []

    def write(self, data: bytes) -> None:
        parser = hiredis.Reader()
        parser.feed(data)
        while (command := parser.gets()) is not False:
            self.commands.append(command)


class Audience:
    """What an ear told."""

    def __init__(self, words=SHARDED) -> None:
        self.heard: list[tuple[bytes, bytes]] = []
        self.confirmed: list[bytes] = []
        self.regained: list[frozenset[bytes]] = []
        self.turned_away: list[tuple[bytes, bool]] = []
        self.paper = Paper()
        self.ear = Ear(
            words,
            Ears(
                lambda channel, payload: self.heard.append((channel, payload)),
                self.confirmed.append,
                self.regained.append,
                lambda channel, was: self.turned_away.append((channel, was)),
            ),
        )
        self.ear.wire = self.paper

    def says(self, *words: bytes) -> None:
        self.ear.took([*words, 1])

    def refuses(self, error: str) -> None:
        self.ear.took(hiredis.ReplyError(error))


@pytest.fixture
def there() -> Audience:
    return Audience()


def test_only_what_is_confirmed_is_heard(there):
    there.ear.ask([A])
    there.says(b"smessage", A, b"too early")
    there.says(b"ssubscribe", A)
    there.says(b"smessage", A, b"1")
    there.says(b"smessage", B, b"not ours")
    there.ear.drop([A])
    there.says(b"smessage", A, b"too late")

    assert there.confirmed == [A]
    assert there.heard == [(A, b"1")]


def test_channels_of_different_slots_are_asked_for_one_by_one(there):
    there.ear.ask([A, B])
    there.ear.drop([A, B])

    assert there.paper.commands == [
        [b"ssubscribe", A],
        [b"ssubscribe", B],
        [b"sunsubscribe", A],
        [b"sunsubscribe", B],
    ]


def test_without_slots_many_are_asked_for_together():
    there = Audience(PLAIN)
    many = [b"%d" % number for number in range(AT_ONCE + 1)]
    there.ear.ask(many)

    assert there.paper.commands == [
        [b"subscribe", *many[:AT_ONCE]],
        [b"subscribe", many[AT_ONCE]],
    ]


def test_the_last_command_about_a_channel_decides(there):
    there.ear.ask([A])
    there.ear.drop([A])
    there.ear.ask([A])
    there.says(b"ssubscribe", A)
    there.says(b"sunsubscribe", A)
    assert there.confirmed == []

    there.says(b"ssubscribe", A)
    assert there.confirmed == [A]

    there.ear.ask([A])
    there.ear.drop([A])
    there.says(b"ssubscribe", A)
    there.says(b"sunsubscribe", A)
    assert there.confirmed == [A]
    assert there.ear.channels == set()


def test_what_was_lost_is_regained_together(there):
    there.ear.ask([A, B, b"c"], lost=[A, B])
    there.says(b"ssubscribe", A)
    assert there.regained == []

    there.says(b"ssubscribe", B)
    assert there.regained == [{A, B}]

    there.says(b"ssubscribe", b"c")
    assert there.regained == [{A, B}]


def test_what_is_left_meanwhile_is_not_waited_for(there):
    there.ear.ask([A, B], lost=[A, B])
    there.says(b"ssubscribe", A)
    there.ear.drop([B])

    assert there.regained == [{A}]


@pytest.mark.parametrize("error", [MOVED_A, "CLUSTERDOWN Hash slot not served"])
def test_what_is_served_elsewhere_is_turned_away_and_not_waited_for(there, error):
    there.ear.ask([A, B], lost=[A, B])
    there.refuses(error)
    there.says(b"ssubscribe", B)

    assert there.turned_away == [(A, False)]
    assert there.regained == [{B}]
    assert there.ear.channels == {B}


def test_a_subscription_that_the_server_ends_is_turned_away(there):
    there.ear.ask([A])
    there.says(b"ssubscribe", A)
    there.says(b"sunsubscribe", A)
    there.says(b"smessage", A, b"1")

    assert there.turned_away == [(A, True)]
    assert there.heard == []


def test_leaving_what_is_served_elsewhere_by_now_is_no_matter(there):
    there.ear.ask([A])
    there.says(b"ssubscribe", A)
    there.ear.drop([A])
    there.refuses(MOVED_A)

    assert there.turned_away == []
    assert there.ear.channels == set()


@pytest.mark.parametrize("error", ["NOPERM this user has no permissions", "ERR unknown command"])
@pytest.mark.parametrize("words", [PLAIN, SHARDED])
def test_other_refusals_end_the_connection(words, error):
    there = Audience(words)
    there.ear.ask([A])

    with pytest.raises(Refused, match=error.split()[0]):
        there.refuses(error)


def test_an_end_that_crosses_ours_is_not_taken_for_the_answer_to_another_command(there):
    there.ear.ask([A])
    there.says(b"ssubscribe", A)
    there.ear.drop([A])
    there.ear.ask([B])
    there.says(b"sunsubscribe", A)
    there.refuses(MOVED_A)
    there.says(b"ssubscribe", B)

    assert there.confirmed == [A, B]
    assert there.turned_away == []


def test_a_confirmation_of_what_was_not_asked_ends_the_connection(there):
    with pytest.raises(Refused):
        there.says(b"ssubscribe", A)


def test_what_is_no_news_is_passed_over(there):
    there.ear.took([b"pong", b""])
    there.ear.took(b"PONG")

    assert there.ear.channels == set()


class Server:
    """Answers as Redis does, and now and then loses a slot or gets one."""

    def __init__(self, there: Audience) -> None:
        self.subscribed: set[bytes] = set()
        self.serves = {A, B}
        self._there = there
        self._read = 0

    def answer(self) -> None:
        """The next command, if there is one."""
        if self._read == len(self._there.paper.commands):
            return
        command, channel = self._there.paper.commands[self._read]
        self._read += 1
        if channel not in self.serves:
            self._there.refuses(f"MOVED {key_slot(channel)} 127.0.0.1:2")
            return
        if command == b"ssubscribe":
            self.subscribed.add(channel)
        else:
            self.subscribed.discard(channel)
        self._there.says(command, channel)

    def lose(self, channel: bytes) -> None:
        """Its slot moves away; whoever is subscribed is told."""
        self.serves.discard(channel)
        if channel in self.subscribed:
            self.subscribed.discard(channel)
            self._there.says(b"sunsubscribe", channel)

    def settle(self) -> None:
        while self._read < len(self._there.paper.commands):
            self.answer()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "drop", "answer", "lose", "get"]), st.sampled_from([A, B])
        )
    )
)
def test_in_the_end_the_ear_and_the_server_agree(moves):
    there = Audience()
    server = Server(there)
    # An end that crossed ours, in a slot that came back at once, makes it begin anew.
    with suppress(Refused):
        for move, channel in moves:
            if move == "ask":
                there.ear.ask([channel], lost=[channel])
            elif move == "drop":
                there.ear.drop([channel])
            elif move == "answer":
                server.answer()
            elif move == "lose":
                server.lose(channel)
            else:
                server.serves.add(channel)

        server.settle()

        assert there.ear.confirmed == there.ear.channels == server.subscribed
        told = frozenset().union(*there.regained)
        assert told <= set(there.confirmed)
        # Whoever is turned away is asked for again, as lost, by those who are told.
        assert there.ear.confirmed <= told | {channel for channel, _ in there.turned_away}
