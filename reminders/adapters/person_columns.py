"""People: values to columns and back."""

import msgspec

from reminders.adapters.mapping import Columns, Selected, json_text
from reminders.countries import country_of
from reminders.person import Digests, FastingPolicy, Occasion, Person, Quiet, Usual

_usual = msgspec.json.Decoder(dict[Occasion, Usual])


def columns_of_person(person: Person) -> Columns:
    return {
        "user_id": person.user_id,
        "zone": person.zone,
        "locale": person.locale,
        "muted": person.muted,
        "quiet_start": None if person.quiet is None else person.quiet.start,
        "quiet_end": None if person.quiet is None else person.quiet.end,
        "fasting": str(person.fasting),
        "hijri": person.hijri,
        "follow_device": person.follow_device,
        "device_zone": person.device_zone,
        "device_zone_at": person.device_zone_at,
        "candidate_zone": person.candidate_zone,
        "candidate_since": person.candidate_since,
        "clock": person.clock,
        "usual": json_text(person.usual),
        "digest": str(person.digest),
        "digest_at": person.digest_at,
    }


def person_of(row: Selected) -> Person:
    return Person(
        user_id=row.user_id,
        zone=row.zone,
        locale=row.locale,
        muted=row.muted,
        quiet=None if row.quiet_start is None else Quiet(row.quiet_start, row.quiet_end),
        fasting=FastingPolicy(row.fasting),
        hijri=row.hijri,
        follow_device=row.follow_device,
        device_zone=row.device_zone,
        device_zone_at=row.device_zone_at,
        candidate_zone=row.candidate_zone,
        candidate_since=row.candidate_since,
        clock=row.clock,
        usual=_usual.decode(row.usual),
        digest=Digests(row.digest),
        digest_at=row.digest_at,
    )


def of_plans(person: Person) -> tuple[object, ...]:
    """What plans are made of; the rest counts when a firing goes off."""
    country = country_of(person.locale, person.zone_now)
    return (person.zone_now, country, person.quiet, person.fasting, person.clock, person.usual)
