"""Acting on a reminder without a login, and its bodies."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.operations import AnyOperation, Operation
from reminders import errors
from reminders.acting import Acting, Tap
from reminders.action import ActionKind, ActionOutcome


class ActOnReminder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A button that was tapped. `firing` and `token` came in the push's data, the latter as
    `action_token`; `action_id` is the device's own. `at` is when, if that was not just now."""

    firing: Annotated[str, Meta(max_length=64)]
    token: Annotated[str, Meta(max_length=512)]
    action: ActionKind
    action_id: UUID
    at: Annotated[datetime, Meta(tz=True)] | None = None
    device_id: UUID | None = None


class ActedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What it came to. `until` is when a snoozed reminder comes again."""

    action: ActionKind
    outcome: ActionOutcome
    event_id: UUID
    task_id: UUID
    asked_at: datetime
    until: datetime | None


def operations(acting: Acting) -> list[AnyOperation]:
    """Whoever has a reminder's token may act on it, as the person whom it was sent to."""

    async def act(_: Principal, asked: ActOnReminder) -> ActedAnswer:
        acted = await acting.act(
            Tap(
                firing=asked.firing,
                token=asked.token,
                kind=asked.action,
                action_id=asked.action_id,
                at=asked.at,
                device_id=asked.device_id,
            )
        )
        return ActedAnswer(
            action=acted.kind,
            outcome=acted.outcome,
            event_id=acted.event_id,
            task_id=acted.task_id,
            asked_at=acted.asked_at,
            until=acted.until,
        )

    return [
        Operation(
            name="firings.act",
            method="POST",
            path="/v1/firings/{firing}/actions",
            summary="Act on a reminder from its notification. Needs no login.",
            takes=ActOnReminder,
            gives=ActedAnswer,
            run=act,
            rpc=True,
            open=True,
            refusals=(
                InvalidInput,
                errors.ActionTokenInvalid,
                errors.ActionTokenExpired,
                errors.EventNotFound,
                errors.RoleTooLow,
                errors.EventCancelled,
                errors.TaskNotFound,
                errors.SnoozedTooOften,
                errors.IdTaken,
            ),
        )
    ]
