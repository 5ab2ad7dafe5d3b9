"""Values to columns and back, for both stores."""

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from kernel.adapters.database import table_of
from reminders.adapters.tables import (
    EventMemberRow,
    EventRow,
    FiringLogRow,
    FiringRow,
    PauseRow,
    PersonRow,
    PlanMarkRow,
    RuleRow,
    SpreadRow,
    TaskRow,
    ZoneStateRow,
)
from reminders.days import MAIN, Anchor, Deadline, Moved
from reminders.types import (
    AtWall,
    CalendarLead,
    DueSpec,
    ElapsedLead,
    Event,
    FromEvent,
    Lead,
    Member,
    Offset,
    OnDay,
    Role,
    Rule,
    Task,
    TaskDetails,
    ZonePolicy,
)

EVENTS = table_of(EventRow)
MEMBERS = table_of(EventMemberRow)
PEOPLE = table_of(PersonRow)
TASKS = table_of(TaskRow)
RULES = table_of(RuleRow)
FIRINGS = table_of(FiringRow)
LOG = table_of(FiringLogRow)
MARKS = table_of(PlanMarkRow)
ZONE_STATES = table_of(ZoneStateRow)
PAUSES = table_of(PauseRow)
SPREADS = table_of(SpreadRow)

Columns = dict[str, Any]

anchors_of = msgspec.json.Decoder(tuple[Anchor, ...]).decode
_deadlines = msgspec.json.Decoder(tuple[Deadline, ...])
_moved = msgspec.json.Decoder(Moved)
details_of = lru_cache(maxsize=1024)(msgspec.json.Decoder(TaskDetails).decode)
_offset: Callable[..., Offset] = lru_cache(maxsize=1024)(Offset)
_from_event: Callable[..., FromEvent] = lru_cache(maxsize=1024)(FromEvent)
"""Tasks made from one template say the same."""


def json_text(value: object) -> str:
    """A value as a column keeps it."""
    return msgspec.json.encode(value).decode()


class Selected(Protocol):
    """Columns by name: a row, or the part of one that belongs to one table."""

    def __getattr__(self, name: str) -> Any: ...


def columns_of_event(event: Event) -> Columns:
    return {
        "id": event.id,
        "title": event.title,
        "zone": event.zone,
        "day": event.day,
        "at": event.at,
        "created_by": event.created_by,
        "created_at": event.created_at,
        "planned_from": event.planned_from,
        "sched_version": event.sched_version,
        "cancelled_at": event.cancelled_at,
        "anchors": json_text(event.anchors),
        "moved": None if event.moved is None else json_text(event.moved),
        "usual": event.usual,
        "deadlines": json_text(event.deadlines),
    }


def event_of(row: Selected) -> Event:
    return Event(
        id=row.id,
        title=row.title,
        zone=row.zone,
        day=row.day,
        at=row.at,
        created_by=row.created_by,
        created_at=row.created_at,
        planned_from=row.planned_from,
        sched_version=row.sched_version,
        cancelled_at=row.cancelled_at,
        anchors=anchors_of(row.anchors),
        moved=None if row.moved is None else _moved.decode(row.moved),
        usual=row.usual,
        deadlines=_deadlines.decode(row.deadlines),
    )


def columns_of_member(member: Member) -> Columns:
    return {
        "event_id": member.event_id,
        "user_id": member.user_id,
        "role": str(member.role),
        "joined_at": member.joined_at,
        "part": member.part,
        "call_at": member.call_at,
    }


def member_of(row: Selected) -> Member:
    role = Role(row.role)
    return Member(row.event_id, row.user_id, role, row.joined_at, row.part, row.call_at)


def columns_of_task(task: Task) -> Columns:
    return {
        "id": task.id,
        "event_id": task.event_id,
        "title": task.title,
        **_columns_of_due(task.due),
        "assignee_id": task.assignee_id,
        "created_by": task.created_by,
        "created_at": task.created_at,
        "planned_from": task.planned_from,
        "sched_version": task.sched_version,
        "done_at": task.done_at,
        "deleted_at": task.deleted_at,
        "details": json_text(task.details),
    }


def task_of(row: Selected) -> Task:
    return Task(
        id=row.id,
        event_id=row.event_id,
        title=row.title,
        due=_due_of(row),
        assignee_id=row.assignee_id,
        created_by=row.created_by,
        created_at=row.created_at,
        planned_from=row.planned_from,
        sched_version=row.sched_version,
        done_at=row.done_at,
        deleted_at=row.deleted_at,
        details=details_of(row.details),
    )


def _columns_of_due(due: DueSpec) -> Columns:
    columns: Columns = {
        "due_kind": "none",
        "due_day": None,
        "due_time": None,
        "due_zone": None,
        "off_months": 0,
        "off_weeks": 0,
        "off_days": 0,
        "due_anchor": MAIN,
        "due_span": 0,
        "due_start": None,
    }
    match due:
        case OnDay(day):
            columns |= {"due_kind": "day", "due_day": day}
        case AtWall(day, at, zone):
            columns |= {"due_kind": "wall", "due_day": day, "due_time": at, "due_zone": zone}
        case FromEvent(offset, at):
            columns |= {
                "due_kind": "event",
                "due_time": at,
                "due_anchor": due.anchor,
                "due_span": due.span,
                "due_start": due.start,
                "off_months": offset.months,
                "off_weeks": offset.weeks,
                "off_days": offset.days,
            }
    return columns


def _due_of(row: Selected) -> DueSpec:
    match row.due_kind:
        case "none":
            return None
        case "day":
            return OnDay(row.due_day)
        case "wall":
            return AtWall(row.due_day, row.due_time, row.due_zone)
        case "event":
            return _from_event(
                _offset(row.off_months, row.off_weeks, row.off_days),
                row.due_time,
                row.due_anchor,
                row.due_span,
                row.due_start,
            )
        case unknown:
            raise ValueError(f"no due is of the kind {unknown!r}")


def columns_of_rule(rule: Rule) -> Columns:
    return {
        "id": rule.id,
        "event_id": rule.event_id,
        "task_id": rule.task_id,
        "user_id": rule.user_id,
        **_columns_of_lead(rule.lead),
        "exact": rule.exact,
        "zone_policy": str(rule.zone_policy),
        "zone": rule.zone,
        "created_at": rule.created_at,
        "planned_from": rule.planned_from,
    }


def rule_of(row: Selected) -> Rule:
    lead: Lead
    if row.elapsed_seconds is not None:
        lead = ElapsedLead(timedelta(seconds=row.elapsed_seconds))
    else:
        before = Offset(row.lead_months, row.lead_weeks, row.lead_days)
        lead = CalendarLead(before, row.lead_time)
    return Rule(
        id=row.id,
        event_id=row.event_id,
        task_id=row.task_id,
        user_id=row.user_id,
        lead=lead,
        exact=row.exact,
        created_at=row.created_at,
        planned_from=row.planned_from,
        zone_policy=ZonePolicy(row.zone_policy),
        zone=row.zone,
    )


def _columns_of_lead(lead: Lead) -> Columns:
    match lead:
        case CalendarLead(before, at):
            return {
                "lead_months": before.months,
                "lead_weeks": before.weeks,
                "lead_days": before.days,
                "lead_time": at,
                "elapsed_seconds": None,
            }
        case ElapsedLead(before):
            return {
                "lead_months": 0,
                "lead_weeks": 0,
                "lead_days": 0,
                "lead_time": None,
                "elapsed_seconds": int(before.total_seconds()),
            }
