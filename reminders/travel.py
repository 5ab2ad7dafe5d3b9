"""Where a user is, as their devices tell: believed when told twice, not at every contact. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from reminders.person import Person

TOLD_AGAIN = timedelta(minutes=30)
"""A zone is believed when a device still reports it after so long. A phone and a laptop that
disagree never get there: every report of the present zone begins anew."""

BETWEEN = timedelta(hours=6)
"""Between two changes that nobody confirmed."""


def heard(person: Person, zone: str, *, now: datetime, confirmed: bool) -> Person:
    """The person after a device reported its zone; `confirmed` when the user said so."""
    if zone == person.zone_now:
        return replace(person, candidate_zone=None, candidate_since=None)
    lasting = (
        person.candidate_zone == zone
        and person.candidate_since is not None
        and now - person.candidate_since >= TOLD_AGAIN
    )
    settled = person.device_zone_at is None or now - person.device_zone_at >= BETWEEN
    if confirmed or (lasting and settled):
        return replace(
            person,
            device_zone=zone,
            device_zone_at=now,
            candidate_zone=None,
            candidate_since=None,
        )
    if person.candidate_zone == zone:
        return person
    return replace(person, candidate_zone=zone, candidate_since=now)
