"""Why a guest who has not answered is asked, or is not: each time they might be. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from reminders.event_days import deadline_of
from reminders.event_news import GUESTS_DAYS, asking_id, news_of
from reminders.guest import ASKED, Answer, Invitation
from reminders.person import Person, Ramadan
from reminders.tracing import Layer, State, Trace, trace_of
from reminders.types import Event, Inputs


def guest_traces(
    event: Event,
    invitation: Invitation,
    person: Person | None,
    *,
    ramadans: Sequence[Ramadan],
    now: datetime,
) -> list[Trace]:
    """Each time that a guest might be asked, with the reason why they are not."""
    guest = invitation.guest
    people = {} if person is None else {guest.user_id: person}
    asked = [] if _unasked(event, invitation) else [guest]
    planned = {
        each.rule_id: each for each in news_of(Inputs(event, [], [], [], people, ramadans, asked))
    }
    traces: list[Trace] = []
    for number, days in enumerate(GUESTS_DAYS):
        rule_id, reason = asking_id(guest.part, days), f"{days} days before answers are due"
        firing = planned.get(rule_id)
        if firing is None:
            state, reason = _unasked(event, invitation) or _missed(guest.told, number)
            traces.append(Trace(rule_id, state, reason, layer=Layer.PRODUCT))
            continue
        traces.append(trace_of(firing, reason, Layer.PRODUCT, now))
    return traces


def without_place(trace: Trace) -> Trace:
    """The trace for somebody whom it does not concern where the guest is."""
    return replace(trace, wall=None, zone=None, utc_offset=None)


def _unasked(event: Event, invitation: Invitation) -> tuple[State, str] | None:
    """Why the guest is not asked at all."""
    guest = invitation.guest
    if event.cancelled_at is not None:
        return State.DONE, "the event was cancelled"
    if guest.answer is not Answer.INVITED:
        return State.DONE, f"the guest has answered: {guest.answer}"
    if invitation.opted_out:
        return State.OFF, "the guest asked to be asked no more"
    if deadline_of(event, guest.part) is None:
        return State.NO_DUE, "nobody said by when to answer, or the part has no day"
    return None


def _missed(told: int, number: int) -> tuple[State, str]:
    if told >= ASKED:
        return State.OFF, f"the guest was asked {told} times, and that is enough"
    if number < told:
        return State.PASSED, "the guest was asked so early before"
    return State.TOO_LATE, "its time had passed before the guest was invited, or the day was set"
