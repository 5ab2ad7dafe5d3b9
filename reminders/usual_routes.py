"""What can be asked about what a user is usually reminded of."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.operations import AnyOperation, Nothing, Operation
from reminders import errors
from reminders.bodies import clock_of, clock_text
from reminders.choosing import Choosing
from reminders.defaults import FARTHEST_DAYS, FARTHEST_MINUTES, Defaults, Effective, Own
from reminders.limits import RULES, checked_user
from reminders.offers import both
from reminders.person import Occasion, UsualLead
from reminders.schemas import Ask, OneTask, Reply, User
from reminders.shapes import WallTime


class UsualLeadBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """So many days before, `at` a time or else at the user's own; or so many minutes before."""

    days: Annotated[int, msgspec.Meta(ge=0, le=FARTHEST_DAYS)] | None = None
    at: WallTime | None = None
    minutes: Annotated[int, msgspec.Meta(ge=1, le=FARTHEST_MINUTES)] | None = None


class OwnBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`leads` null inherits the product's."""

    on: bool = True
    leads: Annotated[list[UsualLeadBody], msgspec.Meta(max_length=RULES)] | None = None


class PutUsual(Ask, frozen=True, kw_only=True):
    """Occasions that are left out are inherited from the product."""

    clock: WallTime | None = None
    occasions: dict[Occasion, OwnBody] = msgspec.field(default_factory=dict)


class PutUsualOf(PutUsual, frozen=True, kw_only=True):
    user_id: User


class UsualOf(Ask, frozen=True, kw_only=True):
    user_id: User


class EffectiveBody(Reply, frozen=True, kw_only=True):
    on: bool
    leads: list[UsualLeadBody]
    layer: Literal["product", "user"]


class UsualAnswer(Reply, frozen=True, kw_only=True):
    """What holds for each occasion, and which layer says so."""

    clock: str
    occasions: dict[str, EffectiveBody]


class ChooseTask(OneTask, frozen=True, kw_only=True):
    """`usual` null is like everybody else."""

    usual: bool | None = None
    nag: bool = True


class ChooseTaskFor(ChooseTask, frozen=True, kw_only=True):
    user_id: User


class ChoiceAnswer(Reply, frozen=True, kw_only=True):
    user_id: str
    usual: bool | None
    nag: bool


def usual_operations(defaults: Defaults, choosing: Choosing) -> list[AnyOperation]:
    """A user's own, and for servers anybody's."""

    async def get(principal: Principal, asked: Nothing | UsualOf) -> UsualAnswer:
        user = _named(asked.user_id if isinstance(asked, UsualOf) else None)
        clock, found = await defaults.get(principal, user_id=user)
        return _answer(clock_text(clock), found)

    async def put(principal: Principal, asked: PutUsual) -> UsualAnswer:
        user = _named(asked.user_id if isinstance(asked, PutUsualOf) else None)
        occasions = {name: _own(each) for name, each in asked.occasions.items()}
        clock, found = await defaults.put(
            principal, clock=clock_of(asked.clock), occasions=occasions, user_id=user
        )
        return _answer(clock_text(clock), found)

    async def choose(principal: Principal, asked: ChooseTask) -> ChoiceAnswer:
        user = _named(asked.user_id if isinstance(asked, ChooseTaskFor) else None)
        choice = await choosing.choose(
            principal,
            asked.event_id,
            asked.task_id,
            usual=asked.usual,
            nag=asked.nag,
            user_id=user,
        )
        return ChoiceAnswer(user_id=choice.user_id, usual=choice.usual, nag=choice.nag)

    refusals = (InvalidInput, errors.ProfileNotFound)
    return [
        Operation(
            name="profile.get_usual",
            method="GET",
            path="/v1/profile/usual",
            summary="What you are usually reminded of, and how early.",
            takes=Nothing,
            gives=UsualAnswer,
            run=get,
            rpc=True,
            refusals=refusals,
        ),
        Operation(
            name="profile.put_usual",
            method="PUT",
            path="/v1/profile/usual",
            summary="Say what you are usually reminded of, and how early.",
            takes=PutUsual,
            gives=UsualAnswer,
            run=put,
            rpc=True,
            refusals=refusals,
        ),
        Operation(
            name="profile.get_usual_of",
            method="GET",
            path="/admin/v1/profiles/{user_id}/usual",
            summary="What a user is usually reminded of, and how early.",
            takes=UsualOf,
            gives=UsualAnswer,
            run=get,
            scope=Scope.REMINDERS,
            refusals=refusals,
        ),
        Operation(
            name="profile.put_usual_of",
            method="PUT",
            path="/admin/v1/profiles/{user_id}/usual",
            summary="Say what a user is usually reminded of, and how early.",
            takes=PutUsualOf,
            gives=UsualAnswer,
            run=put,
            scope=Scope.REMINDERS,
            refusals=refusals,
        ),
        *both(
            "tasks.choose",
            "PUT",
            "/events/{event_id}/tasks/{task_id}/choice",
            "Be told of one task as usual or not, whatever others are.",
            ChooseTask,
            ChoiceAnswer,
            choose,
            (
                InvalidInput,
                errors.EventNotFound,
                errors.RoleTooLow,
                errors.EventCancelled,
                errors.TaskNotFound,
                errors.NotInEvent,
            ),
            takes_for=ChooseTaskFor,
        ),
    ]


def _answer(clock: str | None, found: Mapping[Occasion, Effective]) -> UsualAnswer:
    assert clock is not None, "there is always one"
    return UsualAnswer(
        clock=clock,
        occasions={
            str(occasion): EffectiveBody(
                on=each.on,
                leads=[
                    UsualLeadBody(lead.days, clock_text(lead.at), lead.minutes)
                    for lead in each.leads
                ],
                layer="user" if each.own else "product",
            )
            for occasion, each in found.items()
        },
    )


def _own(body: OwnBody) -> Own:
    leads = body.leads
    if leads is None:
        return Own(body.on)
    return Own(
        body.on, tuple(UsualLead(lead.days, clock_of(lead.at), lead.minutes) for lead in leads)
    )


def _named(user_id: str | None) -> UserId | None:
    return None if user_id is None else checked_user(user_id)
