"""Bodies of the room's API: what is asked and what is answered."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from reminders.shapes import (
    AnchorBody,
    DetailsBody,
    DueBody,
    HijriBody,
    LeadBody,
    WallTime,
    Zone,
)
from reminders.told_schemas import HoldingBody, ToldBody

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
User = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=100)]
CursorText = Annotated[str, msgspec.Meta(max_length=512)]


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every question derives from."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer derives from."""


# Questions.


class CreateEvent(Ask, frozen=True, kw_only=True):
    title: Text
    zone: Zone
    day: date | None = None
    at: WallTime | None = None
    id: UUID | None = None
    usual: bool = False


class CreateEventFor(CreateEvent, frozen=True, kw_only=True):
    owner_id: User | None = None


class ListEvents(Ask, frozen=True, kw_only=True):
    cursor: CursorText | None = None
    limit: Limit = 50


class ListEventsOf(ListEvents, frozen=True, kw_only=True):
    user_id: User


class OneEvent(Ask, frozen=True, kw_only=True):
    event_id: UUID


class RenameEvent(OneEvent, frozen=True, kw_only=True):
    title: Text
    usual: bool | None = None
    """Whether its eve and its day are told of; null leaves it as it is."""


class MoveEvent(OneEvent, frozen=True, kw_only=True):
    day: date | None
    at: WallTime | None = None
    zone: Zone | None = None


class ExplainEvent(OneEvent, frozen=True, kw_only=True):
    user_id: User


class ExplainGuest(OneEvent, frozen=True, kw_only=True):
    user_id: User
    part: Annotated[str, msgspec.Meta(max_length=32)] = "main"


class PutMember(OneEvent, frozen=True, kw_only=True):
    user_id: User
    role: Literal["owner", "collaborator", "vendor", "guest"]
    part: Annotated[str, msgspec.Meta(max_length=32)] = "main"
    call_at: WallTime | None = None
    """When a vendor has to be there, if not when their part begins."""


class OneMember(OneEvent, frozen=True, kw_only=True):
    user_id: User


class CreateTask(OneEvent, frozen=True, kw_only=True):
    title: Text
    due: DueBody | None = None
    assignee_id: User | None = None
    details: DetailsBody | None = None
    id: UUID | None = None


class ListTasks(OneEvent, frozen=True, kw_only=True):
    cursor: CursorText | None = None
    limit: Limit = 50


class OneTask(OneEvent, frozen=True, kw_only=True):
    task_id: UUID


class UpdateTask(OneTask, frozen=True, kw_only=True):
    title: Text
    due: DueBody | None
    assignee_id: User | None
    details: DetailsBody | None = None
    """Without them they stay as they were."""


class SnoozeTask(OneTask, frozen=True, kw_only=True):
    """Either a `choice` or an instant; asking again with the same `action_id` is harmless."""

    action_id: UUID
    choice: Literal["20_minutes", "1_hour", "this_evening", "tomorrow", "saturday"] | None = None
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class SnoozeTaskFor(SnoozeTask, frozen=True, kw_only=True):
    user_id: User


class PutRule(OneEvent, frozen=True, kw_only=True):
    rule_id: UUID
    lead: LeadBody
    task_id: UUID | None = None
    user_id: User | None = None
    exact: bool = True
    zone_policy: Literal["recipient", "event", "fixed"] = "recipient"
    zone: Zone | None = None


class OneRule(OneEvent, frozen=True, kw_only=True):
    rule_id: UUID
    task_id: UUID | None = None


class ListFirings(Ask, frozen=True, kw_only=True):
    cursor: CursorText | None = None
    limit: Limit = 50


class ListFiringsOf(ListFirings, frozen=True, kw_only=True):
    user_id: User


class ExplainTask(OneTask, frozen=True, kw_only=True):
    user_id: User


# Answers.


class MemberBody(Reply, frozen=True, kw_only=True):
    user_id: str
    role: str
    joined_at: datetime
    part: str
    call_at: str | None


class RuleBody(Reply, frozen=True, kw_only=True):
    id: UUID
    task_id: UUID | None
    user_id: str | None
    lead: LeadBody
    exact: bool
    zone_policy: str
    zone: str | None
    created_at: datetime


class EventAnswer(Reply, frozen=True, kw_only=True):
    id: UUID
    title: str
    zone: str
    day: date | None
    at: str | None
    hijri: HijriBody | None
    created_at: datetime
    cancelled_at: datetime | None


class EventDetailsAnswer(EventAnswer, frozen=True, kw_only=True):
    """`version` counts the changes of all that is in the event, as its channel tells them."""

    version: int
    usual: bool
    anchors: list[AnchorBody]
    undo_move_until: datetime | None
    members: list[MemberBody]
    rules: list[RuleBody]


class EventsAnswer(Reply, frozen=True, kw_only=True):
    events: list[EventAnswer]
    cursor: str | None


class TaskAnswer(Reply, frozen=True, kw_only=True):
    id: UUID
    event_id: UUID
    title: str
    due: DueBody | None
    details: DetailsBody
    assignee_id: str | None
    created_at: datetime
    done_at: datetime | None


class DatedTaskAnswer(TaskAnswer, frozen=True, kw_only=True):
    """With the day that its due means at present; `compressed` when that is later than usual."""

    due_on: date | None
    hijri: HijriBody | None
    compressed: bool


class TaskDetailsAnswer(DatedTaskAnswer, frozen=True, kw_only=True):
    rules: list[RuleBody]


class SnoozedAnswer(Reply, frozen=True, kw_only=True):
    until: datetime


class TasksAnswer(Reply, frozen=True, kw_only=True):
    tasks: list[DatedTaskAnswer]
    cursor: str | None


class FiringBody(Reply, frozen=True, kw_only=True):
    """`firing` names it in pushes, alarms and explanations. What is about the event itself has
    no task."""

    firing: str
    due_at: datetime
    wall: str
    zone: str
    event_id: UUID
    event_title: str
    task_id: UUID | None
    task_title: str | None
    rule_id: UUID
    user_id: str
    firing_class: str


class FiringsAnswer(Reply, frozen=True, kw_only=True):
    firings: list[FiringBody]
    cursor: str | None


class TraceBody(Reply, frozen=True, kw_only=True):
    """Why one rule reminds this user, or does not."""

    rule_id: UUID
    firing: str
    layer: str
    lead: str
    firing_class: str | None
    state: str
    reason: str
    due: str | None
    due_by: str
    wall: str | None
    zone: str | None
    zone_by: str
    utc_offset_seconds: int | None
    due_at: datetime | None
    moved_by: str | None
    jitter_seconds: int | None


class SettledBody(Reply, frozen=True, kw_only=True):
    rule_id: UUID
    due_at: datetime
    decided_at: datetime
    outcome: str
    reason: str
    told_at: datetime | None
    """When a digest told what was folded."""
    told: ToldBody | None


class ExplanationAnswer(Reply, frozen=True, kw_only=True):
    zone_data: str
    traces: list[TraceBody]
    settled: list[SettledBody]
    holding: list[HoldingBody]
