"""Who may do what in an event."""

from contextlib import nullcontext

import pytest

from kernel.errors import Denied
from kernel.identity import Principal, Scope
from reminders.authority import Act, acting_for, require, require_for
from reminders.errors import EventCancelled, EventNotFound, RoleTooLow
from reminders.types import Role, Sheet
from tests.support.factories_reminders import (
    AMINA,
    BILAL,
    CELIA,
    LONG_AGO,
    event,
    member,
    server,
    user,
)

OPEN = event()
CANCELLED = event(cancelled_at=LONG_AGO)

OWNER, COLLABORATOR, STRANGER = user(AMINA), user(BILAL), user(CELIA)
SERVER, OTHER_SERVER, NOBODY = server(), server(Scope.DEVICES), Principal()


def sheet(of):
    members = [member(of, AMINA), member(of, BILAL, Role.COLLABORATOR)]
    return Sheet(of, members, [], None, 0)


@pytest.mark.parametrize(
    ("who", "see", "work", "decide"),
    [
        (OWNER, None, None, None),
        (COLLABORATOR, None, None, RoleTooLow),
        (STRANGER, EventNotFound, EventNotFound, EventNotFound),
        (SERVER, None, None, None),
        (OTHER_SERVER, Denied, Denied, Denied),
        (NOBODY, Denied, Denied, Denied),
    ],
    ids=["owner", "collaborator", "stranger", "server", "other server", "nobody"],
)
def test_each_may_do_what_the_table_says(who, see, work, decide):
    for act, refusal in ((Act.SEE, see), (Act.WORK, work), (Act.DECIDE, decide)):
        with pytest.raises(refusal) if refusal else nullcontext():
            require(who, sheet(OPEN), act)


@pytest.mark.parametrize("who", [OWNER, SERVER])
def test_a_cancelled_event_may_only_be_looked_at(who):
    require(who, sheet(CANCELLED), Act.SEE)
    for act in (Act.WORK, Act.DECIDE):
        with pytest.raises(EventCancelled):
            require(who, sheet(CANCELLED), act)


def test_everyone_decides_about_their_own_reminders_and_owners_about_all():
    require_for(COLLABORATOR, sheet(OPEN), BILAL)
    for user_id in (AMINA, None):
        require_for(OWNER, sheet(OPEN), user_id)
        require_for(SERVER, sheet(OPEN), user_id)
        with pytest.raises(RoleTooLow):
            require_for(COLLABORATOR, sheet(OPEN), user_id)


def test_a_user_acts_for_nobody_else_and_a_server_for_whom_it_names():
    assert acting_for(OWNER, BILAL) == AMINA
    assert acting_for(SERVER, BILAL) == BILAL
    assert acting_for(SERVER, None) is None
    for who in (OTHER_SERVER, NOBODY):
        with pytest.raises(Denied):
            acting_for(who, BILAL)
