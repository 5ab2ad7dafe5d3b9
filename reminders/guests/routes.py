"""What can be asked about guests."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.operations import AnyOperation, Nothing, Operation
from reminders import errors
from reminders.days import MAIN
from reminders.guest import Answer, Guest
from reminders.guests.guests import FARTHEST, Guests
from reminders.guests.page import damaged_page, heard_page, question_page
from reminders.limits import checked_user
from reminders.offers import both
from reminders.opting import PATH
from reminders.schemas import Ask, CursorText, Limit, OneEvent, Reply, User

Part = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]{0,31}$", examples=["henna"])]
Days = Annotated[int, msgspec.Meta(ge=-FARTHEST, le=FARTHEST)]


class PutDeadline(OneEvent, frozen=True, kw_only=True):
    """On a `day`, or so many `days` from the part's own (negative: before); neither ends it."""

    part: Part
    day: date | None = None
    days: Days | None = None


class InviteGuest(OneEvent, frozen=True, kw_only=True):
    user_id: User
    part: Part = MAIN


class ListGuests(OneEvent, frozen=True, kw_only=True):
    part: Part = MAIN
    cursor: CursorText | None = None
    limit: Limit = 50


class AnswerInvitation(OneEvent, frozen=True, kw_only=True):
    answer: Literal["yes", "no", "maybe"]
    part: Part = MAIN


class AnswerInvitationFor(AnswerInvitation, frozen=True, kw_only=True):
    user_id: User


class OptOutLink(Ask, frozen=True, kw_only=True):
    """What ends the link."""

    token: Annotated[str, msgspec.Meta(max_length=320)]


class OptOut(OptOutLink, frozen=True, kw_only=True):
    """`everywhere`: of no event any more. What a form holds says nothing new."""

    everywhere: bool = False
    form: Annotated[str, msgspec.Meta(max_length=256)] = ""


class DeadlineBody(Reply, frozen=True, kw_only=True):
    part: str
    day: date | None
    days: int | None


class DeadlinesAnswer(Reply, frozen=True, kw_only=True):
    deadlines: list[DeadlineBody]


class GuestBody(Reply, frozen=True, kw_only=True):
    user_id: str
    part: str
    answer: str
    invited_at: datetime
    answered_at: datetime | None


class GuestsAnswer(Reply, frozen=True, kw_only=True):
    """A page of guests, and how many of all gave each answer."""

    guests: list[GuestBody]
    cursor: str | None
    counts: dict[str, int]


_HOSTS = (InvalidInput, errors.EventNotFound, errors.RoleTooLow)
_CHANGING = (*_HOSTS, errors.EventCancelled)
_ONE = "/events/{event_id}/guests/{user_id}"


def guest_operations(guests: Guests) -> list[AnyOperation]:
    """Hosts invite, guests answer, and anybody with the link opts out."""

    async def put_deadline(principal: Principal, asked: PutDeadline) -> DeadlinesAnswer:
        found = await guests.put_deadline(
            principal, asked.event_id, part=asked.part, day=asked.day, days=asked.days
        )
        bodies = [DeadlineBody(part=each.part, day=each.day, days=each.days) for each in found]
        return DeadlinesAnswer(deadlines=bodies)

    async def invite(principal: Principal, asked: InviteGuest) -> GuestBody:
        user = checked_user(asked.user_id)
        return _body(await guests.invite(principal, asked.event_id, user_id=user, part=asked.part))

    async def remove(principal: Principal, asked: InviteGuest) -> Nothing:
        user = checked_user(asked.user_id)
        await guests.remove(principal, asked.event_id, user_id=user, part=asked.part)
        return Nothing()

    async def listed(principal: Principal, asked: ListGuests) -> GuestsAnswer:
        page, counts = await guests.of(
            principal, asked.event_id, part=asked.part, cursor=asked.cursor, limit=asked.limit
        )
        return GuestsAnswer(
            guests=[_body(each) for each in page.items],
            cursor=page.cursor,
            counts={str(answer): counts.get(answer, 0) for answer in Answer},
        )

    async def answer(principal: Principal, asked: AnswerInvitation) -> GuestBody:
        user: UserId | None = None
        if isinstance(asked, AnswerInvitationFor):
            user = checked_user(asked.user_id)
        return _body(
            await guests.answer(
                principal,
                asked.event_id,
                part=asked.part,
                answer=Answer(asked.answer),
                user_id=user,
            )
        )

    async def look(_: Principal, asked: OptOutLink) -> Nothing:
        guests.check_link(asked.token)
        return Nothing()

    async def opt_out(_: Principal, asked: OptOut) -> Nothing:
        await guests.opt_out(asked.token, everywhere=asked.everywhere)
        return Nothing()

    return [
        *both(
            "guests.put_deadline",
            "PUT",
            "/events/{event_id}/deadlines/{part}",
            "Say by when a part's guests answer.",
            PutDeadline,
            DeadlinesAnswer,
            put_deadline,
            (*_CHANGING, errors.AnchorNotFound),
        ),
        *both(
            "guests.invite",
            "PUT",
            _ONE,
            "Invite a user to an event, or to one part of it.",
            InviteGuest,
            GuestBody,
            invite,
            (*_CHANGING, errors.AnchorNotFound, errors.EventFull),
        ),
        *both(
            "guests.remove",
            "DELETE",
            _ONE,
            "Take an invitation back.",
            InviteGuest,
            Nothing,
            remove,
            (*_CHANGING, errors.NotInvited),
        ),
        *both(
            "guests.list",
            "GET",
            "/events/{event_id}/guests",
            "Who is invited, what they answered, and how many gave each answer.",
            ListGuests,
            GuestsAnswer,
            listed,
            _HOSTS,
        ),
        *both(
            "guests.answer",
            "POST",
            "/events/{event_id}/answer",
            "Say whether you come.",
            AnswerInvitation,
            GuestBody,
            answer,
            (InvalidInput, errors.EventNotFound, errors.EventCancelled, errors.NotInvited),
            takes_for=AnswerInvitationFor,
        ),
        Operation(
            name="guests.look_at_link",
            method="GET",
            path=_LINK,
            summary="Where the link of a reminder leads: browsers get a page that asks.",
            takes=OptOutLink,
            gives=Nothing,
            run=look,
            open=True,
            page=lambda _, languages: question_page(languages),
            refused_pages={errors.OptOutInvalid: damaged_page},
            refusals=(errors.OptOutInvalid,),
        ),
        Operation(
            name="guests.opt_out",
            method="POST",
            path=_LINK,
            summary="Be asked no more. Needs no login, and asking again changes nothing.",
            takes=OptOut,
            gives=Nothing,
            run=opt_out,
            open=True,
            # Mail programs and the page send a form (RFC 8058).
            upload=("application/x-www-form-urlencoded", "form"),
            page=lambda _, languages: heard_page(languages),
            refused_pages={errors.OptOutInvalid: damaged_page},
            refusals=(InvalidInput, errors.OptOutInvalid),
        ),
    ]


_LINK = f"{PATH}{{token}}"


def _body(guest: Guest) -> GuestBody:
    return GuestBody(
        user_id=guest.user_id,
        part=guest.part,
        answer=str(guest.answer),
        invited_at=guest.invited_at,
        answered_at=guest.answered_at,
    )
