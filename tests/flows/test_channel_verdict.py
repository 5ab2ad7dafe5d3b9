"""The judge of channels must find every sort of fault, and none where there is none."""

from collections.abc import Callable

import pytest

from kernel.ids import UserId
from server.demo.channel_record import (
    Acknowledged,
    ChannelRecord,
    Delivery,
    Heard,
    How,
    Membership,
    Reader,
    Sent,
    Session,
)
from server.demo.channel_verdict import SHOWN, problems_of

AMINA, KARIM, LINA, YACINE = map(UserId, ("amina", "karim", "lina", "yacine"))
COUNT = 10


def delivery(offset: int) -> Delivery:
    return Delivery(offset, f"key-{offset}", (AMINA, KARIM)[offset % 2], f"line {offset}")


def heard(first: int, last: int, how: How = How.LIVE) -> list[Heard]:
    return [Heard(delivery(each), each + 0.7, how) for each in range(first, last + 1)]


def flawless() -> ChannelRecord:
    """Message n is sent at second n. Karim reads all of it, Lina from offset 3 on, in two
    sessions of which the second recovers; Yacine is a member from second 2 to 6."""
    lina = Reader(
        LINA,
        [
            Session(at=3.8, epoch="e", offset=3, heard=heard(4, 5)),
            Session(
                at=8.8,
                epoch="e",
                offset=8,
                since=5,
                recovered=True,
                heard=[*heard(6, 8, How.RECOVERED), *heard(9, 10)],
            ),
        ],
    )
    yacine = Reader(YACINE, [Session(at=2.8, epoch="e", offset=2, heard=heard(3, 5))], stays=False)
    everything = [delivery(each) for each in range(1, COUNT + 1)]
    return ChannelRecord(
        sent=[Sent(each.key, UserId(each.sender), each.text, each.offset) for each in everything],
        acknowledged=[
            Acknowledged(each.key, each.offset, each.offset + 0.5) for each in everything
        ],
        readers=[Reader(KARIM, [Session(epoch="e", heard=heard(1, COUNT))]), lina, yacine],
        log=everything,
        memberships={
            AMINA: [Membership()],
            KARIM: [Membership()],
            LINA: [Membership(3.1)],
            YACINE: [Membership(2.0, 6.0)],
        },
    )


def test_a_flawless_run_has_no_problems():
    assert list(problems_of(flawless())) == []


# --- what may be ---------------------------------------------------------------------------------


def acknowledge_twice_alike(record: ChannelRecord) -> None:
    record.acknowledged.append(record.acknowledged[4])


def refuse_what_was_stored_at_an_earlier_try(record: ChannelRecord) -> None:
    record.refused.add(record.acknowledged.pop().key)


def read_a_hole_from_history(record: ChannelRecord) -> None:
    session = record.readers[1].sessions[1]
    session.recovered, session.heard = False, session.heard[3:]
    record.readers[1].filled = heard(6, 8, How.HISTORY)


def throw_away_what_came_while_leaving(record: ChannelRecord) -> None:
    record.readers[1].sessions[0].heard = heard(4, 7)


def leave_before_a_hole_is_read(record: ChannelRecord) -> None:
    record.readers[1].stays = False
    session = record.readers[1].sessions[1]
    session.recovered, session.heard = False, session.heard[3:]


def hear_a_little_after_the_removal(record: ChannelRecord) -> None:
    record.readers[2].sessions[0].heard = heard(3, 6)


def come_back_as_a_member_and_recover(record: ChannelRecord) -> None:
    assert record.memberships is not None
    record.memberships[YACINE].append(Membership(9.0))
    reader = record.readers[2]
    reader.sessions.append(Session(at=9.6, epoch="e", offset=9, since=5, recovered=True))
    reader.sessions[1].heard = [
        Heard(delivery(each), 9.6, How.RECOVERED) for each in range(6, COUNT)
    ]


@pytest.mark.parametrize(
    "change",
    [
        acknowledge_twice_alike,
        refuse_what_was_stored_at_an_earlier_try,
        read_a_hole_from_history,
        throw_away_what_came_while_leaving,
        leave_before_a_hole_is_read,
        hear_a_little_after_the_removal,
        come_back_as_a_member_and_recover,
    ],
)
def test_what_may_happen_is_no_problem(change: Callable[[ChannelRecord], None]):
    record = flawless()
    change(record)

    assert list(problems_of(record, grace=1.0)) == []


# --- what must not be ----------------------------------------------------------------------------


def lose_what_was_acknowledged(record: ChannelRecord) -> None:
    assert record.log is not None
    del record.log[9]


def store_another_message_in_its_place(record: ChannelRecord) -> None:
    assert record.log is not None
    record.log[9] = record.log[9]._replace(key="nobody's")


def store_twice(record: ChannelRecord) -> None:
    assert record.log is not None
    record.log.append(record.log[4]._replace(offset=11))


def leave_a_hole_in_the_log(record: ChannelRecord) -> None:
    assert record.log is not None
    del record.log[4]


def store_another_text(record: ChannelRecord) -> None:
    assert record.log is not None
    record.log[4] = record.log[4]._replace(text="line 5 ")


def acknowledge_at_two_offsets(record: ChannelRecord) -> None:
    record.acknowledged.append(Acknowledged("key-5", 4, 11))


def never_acknowledge(record: ChannelRecord) -> None:
    del record.acknowledged[4]


def put_what_came_later_first(record: ChannelRecord) -> None:
    record.sent[6] = record.sent[6]._replace(at=9.9)


def miss_the_end(record: ChannelRecord) -> None:
    record.readers[0].sessions[0].heard.pop()


def miss_all(record: ChannelRecord) -> None:
    record.readers[0].sessions[0].heard.clear()


def skip_live(record: ChannelRecord) -> None:
    del record.readers[0].sessions[0].heard[4]


def skip_though_history_has_it(record: ChannelRecord) -> None:
    record.readers[0].filled = [record.readers[0].sessions[0].heard.pop(4)]


def skip_in_recovery(record: ChannelRecord) -> None:
    del record.readers[1].sessions[1].heard[1]


def recover_less_than_promised(record: ChannelRecord) -> None:
    session = record.readers[1].sessions[1]
    session.heard = session.heard[:2]


def recover_again(record: ChannelRecord) -> None:
    record.readers[1].sessions[1].heard.insert(0, heard(5, 5)[0])


def repeat_live(record: ChannelRecord) -> None:
    record.readers[0].sessions[0].heard.insert(5, heard(5, 5)[0])


def overtake(record: ChannelRecord) -> None:
    there = record.readers[0].sessions[0].heard
    there[4], there[5] = there[5], there[4]


def change_the_epoch(record: ChannelRecord) -> None:
    record.readers[1].sessions[1].epoch = "f"


def deliver_another_text(record: ChannelRecord) -> None:
    there = record.readers[0].sessions[0].heard
    there[4] = there[4]._replace(delivery=there[4].delivery._replace(text="line 5 "))


def begin_too_far_on(record: ChannelRecord) -> None:
    session = record.readers[1].sessions[0]
    session.offset, session.heard = 4, session.heard[1:]


def tell_who_was_removed(record: ChannelRecord) -> None:
    record.readers[2].sessions[0].heard = heard(3, 8)


def tell_a_stranger(record: ChannelRecord) -> None:
    assert record.memberships is not None
    del record.memberships[YACINE]


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (lose_what_was_acknowledged, "the log: lost key-10, which was acknowledged at 10"),
        (store_another_message_in_its_place, "the log: holds nobody's, which nobody sent"),
        (store_twice, "the log: holds key-5 2 times: offset 5, 11"),
        (leave_a_hole_in_the_log, "the log: has offset 6 at place 5"),
        (store_another_text, "the log: holds something else under key-5 than was sent"),
        (acknowledge_at_two_offsets, "sending: key-5 was acknowledged at 5 and at 4"),
        (never_acknowledge, "sending: key-5 was never acknowledged"),
        (put_what_came_later_first, "key-7 got offset 7, 9 was acknowledged before it was sent"),
        (miss_the_end, "reader karim: never got offset 10"),
        (miss_all, "reader karim: never got offset 1 to 10"),
        (skip_live, "reader karim: went from 4 to 6 without being told"),
        (skip_though_history_has_it, "reader karim: went from 4 to 6 without being told"),
        (skip_in_recovery, "reader lina: went from 6 to 8 without being told"),
        (recover_less_than_promised, "reader lina: was told to have all up to 8, but got 7"),
        (recover_again, "reader lina: got offset 5 again"),
        (repeat_live, "reader karim: got offset 5 again"),
        (overtake, "reader karim: got offset 5 after 6"),
        (change_the_epoch, "epochs: was in e, then in f"),
        (deliver_another_text, "reader karim: got key-5 by karim at offset 5 instead of key-5"),
        (begin_too_far_on, "reader lina: began at 4, before key-4 was sent, which is 4"),
        (tell_who_was_removed, "reader yacine: got key-8 at offset 8 as no member"),
        (tell_a_stranger, "reader yacine: got key-3 at offset 3 as no member"),
    ],
)
def test_a_fault_is_found_and_named(fault: Callable[[ChannelRecord], None], named: str):
    record = flawless()
    fault(record)

    problems = list(problems_of(record, grace=1.0))
    assert any(named in problem for problem in problems), problems


def test_many_problems_of_one_sort_are_counted():
    record = flawless()
    record.acknowledged.clear()

    problems = [each for each in problems_of(record) if each.startswith("sending")]

    assert problems[SHOWN:] == [f"sending: and {COUNT - SHOWN} more like these"]
