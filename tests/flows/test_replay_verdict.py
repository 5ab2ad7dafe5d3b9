"""A judge who cannot say "bad" is none: every sort of fault must be found."""

from collections.abc import Callable

import pytest

from kernel.ids import UserId
from server.demo.channel_record import Delivery, Sent
from server.demo.channel_verdict import SHOWN
from server.demo.replay_verdict import Allowances, Arrived, Observations, judge

AMINA, KARIM, LINA, YACINE = map(UserId, ("amina", "karim", "lina", "yacine"))
COUNT = 10


def flawless() -> Observations:
    """Amina and Karim talk, Lina listens, Yacine is away."""
    seen = Observations(
        sent=[Sent(f"key-{n}", (AMINA, KARIM)[n % 2], f"line {n}") for n in range(1, COUNT + 1)],
        acknowledged=[(f"key-{n}", n) for n in range(1, COUNT + 1)],
        away={YACINE: "phone-yacine"},
        present={AMINA: "phone-amina", KARIM: "phone-karim", LINA: "phone-lina"},
    )
    for reader in (AMINA, KARIM, LINA):
        seen.delivered[reader] = [
            Delivery(n, sent.key, sent.sender, sent.text) for n, sent in enumerate(seen.sent, 1)
        ]
    seen.pushes = [
        Arrived("phone-yacine", f"push-{n}", "talk", n, f"{sent.sender}\n{sent.text}")
        for n, sent in enumerate(seen.sent, 1)
    ]
    return seen


def test_a_flawless_run_is_good():
    verdict = judge(flawless())

    assert verdict.is_good
    assert verdict.problems == []
    assert (verdict.sent, verdict.acknowledged, verdict.readers) == (COUNT, COUNT, 3)
    assert (verdict.deliveries, verdict.away, verdict.pushes) == (3 * COUNT, 1, COUNT)
    assert list(verdict.lines())[-1].startswith("verdict         good")


def lose_a_delivery(seen: Observations) -> None:
    del seen.delivered[LINA][4]


def lose_the_last_delivery(seen: Observations) -> None:
    seen.delivered[LINA].pop()


def lose_all_deliveries(seen: Observations) -> None:
    seen.delivered[LINA].clear()


def repeat_a_delivery(seen: Observations) -> None:
    seen.delivered[LINA].insert(5, seen.delivered[LINA][4])


def repeat_a_delivery_at_the_end(seen: Observations) -> None:
    seen.delivered[LINA].append(seen.delivered[LINA][0])


def swap_two_deliveries(seen: Observations) -> None:
    heard = seen.delivered[LINA]
    heard[4], heard[5] = heard[5], heard[4]


def deliver_a_foreign_message(seen: Observations) -> None:
    seen.delivered[LINA].append(Delivery(COUNT + 1, "nobody's", "mallory", "buy this"))


def deliver_another_text(seen: Observations) -> None:
    seen.delivered[LINA][4] = seen.delivered[LINA][4]._replace(text="line 5 ")


def deliver_another_sender(seen: Observations) -> None:
    seen.delivered[LINA][4] = seen.delivered[LINA][4]._replace(sender="mallory")


def deliver_at_another_offset(seen: Observations) -> None:
    heard = seen.delivered[LINA]
    heard[4], heard[5] = heard[4]._replace(offset=6), heard[5]._replace(offset=5)


def lose_an_acknowledgement(seen: Observations) -> None:
    del seen.acknowledged[4]


def acknowledge_twice_at_different_offsets(seen: Observations) -> None:
    seen.acknowledged.append(("key-5", 4))


def acknowledge_what_was_not_sent(seen: Observations) -> None:
    seen.acknowledged.append(("nobody's", 11))


def give_an_offset_twice(seen: Observations) -> None:
    seen.acknowledged[4] = ("key-5", 4)


def leave_an_offset_out(seen: Observations) -> None:
    seen.acknowledged[COUNT - 1] = (f"key-{COUNT}", COUNT + 1)


def put_a_later_line_first(seen: Observations) -> None:
    seen.acknowledged[0], seen.acknowledged[2] = ("key-1", 3), ("key-3", 1)


def lose_a_push(seen: Observations) -> None:
    del seen.pushes[4]


def repeat_a_push(seen: Observations) -> None:
    seen.pushes.append(seen.pushes[4])


def repeat_a_push_under_another_id(seen: Observations) -> None:
    seen.pushes.append(seen.pushes[4]._replace(push_id="another"))


def push_to_somebody_present(seen: Observations) -> None:
    seen.pushes.append(seen.pushes[4]._replace(address="phone-lina", push_id="another"))


def push_to_a_stranger(seen: Observations) -> None:
    seen.pushes.append(seen.pushes[4]._replace(address="phone-mallory", push_id="another"))


def push_about_a_foreign_message(seen: Observations) -> None:
    seen.pushes.append(seen.pushes[4]._replace(offset=99, push_id="another"))


def push_another_text(seen: Observations) -> None:
    seen.pushes[4] = seen.pushes[4]._replace(text="karim\nbuy this")


def push_without_a_collapse_key(seen: Observations) -> None:
    seen.pushes[4] = seen.pushes[4]._replace(collapse_key="")


def break_the_protocol(seen: Observations) -> None:
    seen.violations.append("lina: nothing was asked with id 7")


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (lose_a_delivery, "reader lina: never got offset 5"),
        (lose_the_last_delivery, "reader lina: never got offset 10"),
        (lose_all_deliveries, "reader lina: never got offset 1 to 10"),
        (repeat_a_delivery, "reader lina: got offset 5 again"),
        (repeat_a_delivery_at_the_end, "reader lina: got offset 1 again"),
        (swap_two_deliveries, "reader lina: got offset 5 after 6"),
        (deliver_a_foreign_message, "reader lina: got nobody's at offset 11"),
        (deliver_another_text, "reader lina: got key-5 by karim at offset 5"),
        (deliver_another_sender, "reader lina: got key-5 by mallory"),
        (deliver_at_another_offset, "instead of key-6"),
        (lose_an_acknowledgement, "sending: key-5 was never acknowledged"),
        (acknowledge_twice_at_different_offsets, "key-5 was acknowledged at 5 and at 4"),
        (acknowledge_what_was_not_sent, "nobody's was acknowledged, but never sent"),
        (give_an_offset_twice, "offset 4 was given to 2 messages"),
        (leave_an_offset_out, "offset 11 was given out, but only 10"),
        (put_a_later_line_first, "key-3 of karim was put before"),
        (lose_a_push, "yacine got no push for offset 5"),
        (repeat_a_push, "the push to yacine for offset 5 was accepted 2 times"),
        (repeat_a_push_under_another_id, "accepted under 2 ids"),
        (push_to_somebody_present, "the push to lina for offset 5 should not exist"),
        (push_to_a_stranger, "phone-mallory, which is nobody's"),
        (push_about_a_foreign_message, "about a message that nobody here was told of"),
        (push_another_text, "does not say what was sent"),
        (push_without_a_collapse_key, "does not replace its own repetition"),
        (break_the_protocol, "lina: nothing was asked with id 7"),
    ],
)
def test_a_fault_is_found_and_named(fault: Callable[[Observations], None], named: str):
    seen = flawless()
    fault(seen)

    verdict = judge(seen)

    assert not verdict.is_good
    assert any(named in problem for problem in verdict.problems), verdict.problems
    assert any("BAD" in line for line in verdict.lines())


@pytest.mark.parametrize(
    ("fault", "allowances"),
    [
        (repeat_a_push, Allowances(copies=2)),
        (push_to_somebody_present, Allowances(present_pushes=True)),
    ],
)
def test_an_allowance_excuses_what_it_names(
    fault: Callable[[Observations], None], allowances: Allowances
):
    seen = flawless()
    fault(seen)

    verdict = judge(seen, allowances)

    assert verdict.is_good, verdict.problems
    assert verdict.repeated_pushes + verdict.present_pushes == 1


@pytest.mark.parametrize(
    "fault",
    [
        lose_a_delivery,
        repeat_a_delivery,
        swap_two_deliveries,
        deliver_a_foreign_message,
        lose_an_acknowledgement,
        lose_a_push,
        repeat_a_push_under_another_id,
    ],
)
def test_no_allowance_excuses_a_loss_or_a_repeated_message(
    fault: Callable[[Observations], None],
):
    seen = flawless()
    fault(seen)

    assert not judge(seen, Allowances(copies=9, present_pushes=True)).is_good


def test_a_push_may_stand_for_several_messages_but_none_may_be_missing():
    seen = flawless()
    *_, last = seen.pushes
    seen.pushes = [seen.pushes[0], last._replace(messages=COUNT - 1)]

    assert judge(seen).problems == []
    seen.pushes[1] = last._replace(messages=COUNT - 2)
    assert not judge(seen).is_good


def test_nobody_may_be_told_of_their_own_message():
    seen = flawless()
    seen.pushes.append(Arrived("phone-karim", "own", "talk", 5, "karim\nline 5"))

    verdict = judge(seen, Allowances(present_pushes=True))

    assert "pushes: the push to karim for offset 5 tells them of their own message" in (
        verdict.problems
    )


def test_many_problems_of_one_sort_are_counted_not_listed():
    seen = flawless()
    seen.acknowledged.clear()

    problems = [each for each in judge(seen).problems if each.startswith("sending")]

    assert len(problems) == SHOWN + 1
    assert problems[-1] == f"sending: and {COUNT - SHOWN} more like these"
