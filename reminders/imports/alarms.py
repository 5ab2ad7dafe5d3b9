"""Alarms of a calendar's entry (RFC 5545, 3.6.6) as leads of rules. Pure."""

from datetime import UTC, datetime, time, timedelta

from kernel.errors import InvalidInput
from reminders.imports.components import Component
from reminders.imports.moments import Places, duration_of, instant_of, length_of
from reminders.imports.zones import wall_read
from reminders.limits import ELAPSED, RULES, checked_lead
from reminders.times import wall_of
from reminders.types import AtWall, CalendarLead, ElapsedLead, Lead, Offset, OnDay

READ = 20
"""Alarms of one entry that are looked at."""

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


def leads_of(
    component: Component, due: OnDay | AtWall, places: Places
) -> tuple[tuple[Lead, ...], tuple[str, ...]]:
    """The leads of an entry's alarms, each once and in order, and what was left out."""
    leads: list[Lead] = []
    remarks: list[str] = []
    # Apple writes one that does nothing where somebody wants none.
    alarms = [
        each
        for each in component.parts
        if each.name == "VALARM" and each.text("ACTION").strip().upper() != "NONE"
    ]
    for alarm in alarms[:READ]:
        try:
            lead = checked_lead(_lead(alarm, component, due, places))
        except InvalidInput as error:
            remarks.append(f"an alarm is left out: {error.details['rule']}")
        except ValueError as error:
            remarks.append(f"an alarm is left out: {error}")
        else:
            if lead not in leads:
                leads.append(lead)
    if len(leads) > RULES or len(alarms) > READ:
        remarks.append(f"only {RULES} alarms are kept")
    return tuple(leads[:RULES]), tuple(dict.fromkeys(remarks))


def _lead(alarm: Component, component: Component, due: OnDay | AtWall, places: Places) -> Lead:
    trigger = alarm.first("TRIGGER")
    if trigger is None:
        raise ValueError("it does not say when")
    if trigger.value.strip().endswith("Z"):
        return _absolute(trigger.value.strip(), due, places)
    try:
        offset = duration_of(trigger.value)
    except ValueError:
        raise ValueError("it does not say when in a way that we read") from None
    if trigger.params.get("RELATED", "").upper() == "END":
        length = length_of(component, due, places)
        if length is None or component.name == "VTODO":
            # Of a task the end is its due, and that is what we have.
            length = timedelta(0)
        offset += length
    return _relative(offset, due)


def _relative(offset: timedelta, due: OnDay | AtWall) -> Lead:
    if isinstance(due, OnDay):
        # From midnight of the day, on the wall of whoever is told.
        days, rest = divmod(offset, _DAY)
        if days > 0:
            raise ValueError("it comes after the day")
        midnight = datetime.combine(due.day, time())
        return CalendarLead(Offset(days=-days), (midnight + rest).time().replace(second=0))
    if offset > timedelta(0):
        raise ValueError("it comes after the beginning")
    if -offset > ELAPSED and -offset % _DAY == timedelta(0):
        return CalendarLead(Offset(days=-offset // _DAY), due.at)
    # At the very moment is a minute before.
    return ElapsedLead(max(_MINUTE, -offset))


def _absolute(text: str, due: OnDay | AtWall, places: Places) -> Lead:
    try:
        at = wall_read(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("it does not say when in a way that we read") from None
    if isinstance(due, AtWall):
        return _relative(at - instant_of(due), due)
    wall = wall_of(at, places.home)
    return _relative(wall - datetime.combine(due.day, time()), due)
