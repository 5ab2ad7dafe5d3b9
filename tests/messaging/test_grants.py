"""What a subscription gets: its namespace, what it asks for, and what overrides both."""

from typing import Any

import pytest

from messaging.channels.grants import Flag, Grant, Override, granted
from messaging.channels.namespaces import ChannelOptions

KEPT: dict[str, Any] = {"history_size": 10, "history_ttl": "1h"}
ON, OFF = Flag(True), Flag(False)


@pytest.mark.parametrize(
    ("options", "asked", "expected"),
    [
        ({}, {}, (False, False)),
        ({}, {"recoverable": True, "positioned": True}, (False, False)),
        ({}, {"recoverable": True, "positioned": True, "reads": True}, (False, False)),
        (KEPT, {}, (False, False)),
        (KEPT, {"recoverable": True, "positioned": True}, (False, False)),
        (KEPT, {"reads": True}, (False, False)),
        (KEPT, {"recoverable": True, "reads": True}, (True, True)),
        (KEPT, {"positioned": True, "reads": True}, (True, False)),
        (KEPT | {"allow_positioning": True}, {}, (False, False)),
        (KEPT | {"allow_positioning": True}, {"positioned": True}, (True, False)),
        (KEPT | {"allow_positioning": True}, {"recoverable": True}, (False, False)),
        (KEPT | {"allow_recovery": True}, {"positioned": True}, (False, False)),
        (KEPT | {"allow_recovery": True}, {"recoverable": True}, (True, True)),
        (KEPT | {"force_positioning": True}, {}, (True, False)),
        (KEPT | {"force_recovery": True}, {}, (True, True)),
        (
            KEPT | {"force_recovery": True},
            {"override": Override(force_recovery=OFF)},
            (False, False),
        ),
        (KEPT, {"override": Override(force_recovery=ON)}, (True, True)),
        (KEPT, {"override": Override(force_positioning=ON)}, (True, False)),
        ({}, {"override": Override(force_recovery=ON, force_positioning=ON)}, (False, False)),
    ],
)
def test_who_is_told_of_what_they_missed_and_who_is_given_it(options, asked, expected):
    grant = granted(ChannelOptions(**options), **asked)

    assert (grant.positioned, grant.recoverable) == expected


@pytest.mark.parametrize(
    ("options", "asked", "tells", "hears"),
    [
        ({}, {"join_leave": True, "sees": True}, False, False),
        ({"join_leave": True}, {}, True, False),
        ({"join_leave": True}, {"join_leave": True}, True, False),
        ({"join_leave": True}, {"sees": True}, True, False),
        ({"join_leave": True}, {"join_leave": True, "sees": True}, True, True),
        ({"join_leave": True, "force_push_join_leave": True}, {}, True, True),
        ({"force_push_join_leave": True}, {}, False, True),
        ({}, {"override": Override(join_leave=ON)}, True, False),
        ({}, {"override": Override(force_push_join_leave=ON)}, False, True),
        # Who is not told of may still be told of others.
        (
            {"join_leave": True, "force_push_join_leave": True},
            {"override": Override(join_leave=OFF)},
            False,
            True,
        ),
        (
            {"join_leave": True, "force_push_join_leave": True},
            {"override": Override(force_push_join_leave=OFF)},
            True,
            False,
        ),
    ],
)
def test_who_is_told_of_others_and_who_is_told_of(options, asked, tells, hears):
    grant = granted(ChannelOptions(**options), **asked)

    assert (grant.tells_attendance, grant.hears_attendance) == (tells, hears)


@pytest.mark.parametrize(
    ("option", "override", "present"),
    [(False, None, False), (True, None, True), (False, ON, True), (True, OFF, False)],
)
def test_who_is_kept_in_the_presence(option, override, present):
    grant = granted(ChannelOptions(presence=option), override=Override(presence=override))

    assert grant.present is present


@pytest.mark.parametrize(
    ("allowed", "asked", "expected"),
    [((), "fossil", False), (("fossil",), "", False), (("fossil",), "fossil", True)],
)
def test_changes_are_for_those_who_ask_where_that_is_allowed(allowed, asked, expected):
    assert granted(ChannelOptions(allowed_delta_types=allowed), delta=asked).delta is expected


def test_nothing_is_granted_by_default():
    assert granted(ChannelOptions()) == Grant()


@pytest.mark.parametrize(
    "options",
    [
        {},
        KEPT | {"force_recovery": True, "presence": True},
        KEPT | {"allow_positioning": True, "allow_recovery": True, "join_leave": True},
        {"force_push_join_leave": True, "join_leave": True, "allowed_delta_types": ("fossil",)},
    ],
)
def test_who_asks_for_nothing_more_is_granted_the_same_whatever_they_may(options):
    namespace = ChannelOptions(**options)

    assert granted(namespace, reads=True, sees=True) == granted(namespace)
