"""The room's values as bodies of its API, and back. Pure."""

from datetime import date, time, timedelta

import msgspec

from kernel.paging import Page
from reminders import profile_schemas, schemas, shapes
from reminders.days import Anchor
from reminders.due import anchor_of, due_on, is_compressed
from reminders.hijri import hijri_of
from reminders.limits import checked_user
from reminders.nearby import Nearby
from reminders.person import Person, Quiet
from reminders.types import (
    AtWall,
    CalendarLead,
    DueSpec,
    ElapsedLead,
    Event,
    FromEvent,
    Lead,
    Offset,
    OnDay,
    Payment,
    Priority,
    Recurrence,
    Rule,
    Sheet,
    Task,
    TaskDetails,
)


def clock_of(text: str | None) -> time | None:
    """A wall time such as 09:00; the schema has checked it."""
    return None if text is None else time.fromisoformat(text)


def clock_text(at: time | None) -> str | None:
    return None if at is None else at.strftime("%H:%M")


def due_spec(body: shapes.DueBody | None) -> DueSpec:
    match body:
        case None:
            return None
        case shapes.DayDue():
            return OnDay(body.day)
        case shapes.WallDue():
            return AtWall(body.day, time.fromisoformat(body.at), body.zone)
        case shapes.EventDue():
            return _from_event(body)


def due_body(due: DueSpec) -> shapes.DueBody | None:
    match due:
        case None:
            return None
        case OnDay(day):
            return shapes.DayDue(day)
        case AtWall(day, at, zone):
            return shapes.WallDue(day, at.strftime("%H:%M"), zone)
        case FromEvent():
            return _event_due(due)


def _from_event(body: shapes.EventDue) -> FromEvent:
    offset = Offset(body.months, body.weeks, body.days)
    return FromEvent(offset, clock_of(body.at), body.anchor, body.span, body.start)


def _event_due(due: FromEvent) -> shapes.EventDue:
    offset = due.offset
    return shapes.EventDue(
        offset.months,
        offset.weeks,
        offset.days,
        clock_text(due.at),
        due.anchor,
        due.span,
        due.start,
    )


def details_of(body: shapes.DetailsBody | None) -> TaskDetails | None:
    if body is None:
        return None
    payment, recurs = body.payment, body.recurrence
    return TaskDetails(
        notes=body.notes,
        priority=Priority(body.priority),
        usual=body.usual,
        nag=body.nag,
        opens=None if body.opens is None else _from_event(body.opens),
        parent_id=body.parent_id,
        payment=None if payment is None else _payment(payment),
        recurs=None
        if recurs is None
        # Where it began and how far it got is not the caller's to say.
        else Recurrence(recurs.rule, date.min, recurs.from_completion, tuple(recurs.except_on)),
        nearby=tuple(msgspec.convert(body.nearby, list[Nearby], from_attributes=True)),
    )


def _payment(body: shapes.PaymentBody) -> Payment:
    vendor = None
    if body.vendor_id is not None:
        vendor = checked_user(body.vendor_id, field="details.payment.vendor_id")
    return Payment(body.amount, body.currency, body.vendor, vendor)


def details_body(details: TaskDetails) -> shapes.DetailsBody:
    payment, recurs = details.payment, details.recurs
    return shapes.DetailsBody(
        notes=details.notes,
        priority=details.priority.value,
        usual=details.usual,
        nag=details.nag,
        opens=None if details.opens is None else _event_due(details.opens),
        parent_id=details.parent_id,
        payment=None
        if payment is None
        else shapes.PaymentBody(
            payment.amount, payment.currency, payment.vendor, payment.vendor_id
        ),
        recurrence=None
        if recurs is None
        else shapes.RecurrenceBody(recurs.rule, recurs.from_completion, list(recurs.except_on)),
        nearby=msgspec.convert(details.nearby, list[shapes.NearbyBody], from_attributes=True),
    )


def lead_of(body: shapes.LeadBody) -> Lead:
    match body:
        case shapes.CalendarLeadBody():
            before = Offset(body.months, body.weeks, body.days)
            return CalendarLead(before, time.fromisoformat(body.at))
        case shapes.ElapsedLeadBody():
            return ElapsedLead(timedelta(minutes=body.minutes))


def lead_body(lead: Lead) -> shapes.LeadBody:
    match lead:
        case CalendarLead(before, at):
            return shapes.CalendarLeadBody(
                at.strftime("%H:%M"), before.months, before.weeks, before.days
            )
        case ElapsedLead(before):
            return shapes.ElapsedLeadBody(int(before.total_seconds() // 60))


def event_answer(event: Event) -> schemas.EventAnswer:
    return schemas.EventAnswer(
        id=event.id,
        title=event.title,
        zone=event.zone,
        day=event.day,
        at=clock_text(event.at),
        hijri=hijri_body(event.day),
        created_at=event.created_at,
        cancelled_at=event.cancelled_at,
    )


def event_details(sheet: Sheet) -> schemas.EventDetailsAnswer:
    event = sheet.event
    return schemas.EventDetailsAnswer(
        id=event.id,
        version=sheet.version,
        title=event.title,
        zone=event.zone,
        day=event.day,
        at=clock_text(event.at),
        hijri=hijri_body(event.day),
        created_at=event.created_at,
        cancelled_at=event.cancelled_at,
        usual=event.usual,
        anchors=[_anchor_body(each, event) for each in event.anchors],
        undo_move_until=None if event.moved is None else event.moved.until,
        members=[
            schemas.MemberBody(
                user_id=member.user_id,
                role=str(member.role),
                joined_at=member.joined_at,
                part=member.part,
                call_at=clock_text(member.call_at),
            )
            for member in sheet.members
        ],
        rules=[rule_body(rule) for rule in sheet.rules if rule.task_id is None],
    )


def _anchor_body(anchor: Anchor, event: Event) -> shapes.AnchorBody:
    found = anchor_of(event, anchor.code)
    return shapes.AnchorBody(
        anchor.code,
        anchor.day,
        anchor.days,
        clock_text(anchor.at),
        anchor.zone,
        None if found is None else found.day,
        anchor.of,
    )


def events_answer(page: Page[Event]) -> schemas.EventsAnswer:
    events = [event_answer(event) for event in page.items]
    return schemas.EventsAnswer(events=events, cursor=page.cursor)


def task_answer(task: Task) -> schemas.TaskAnswer:
    return schemas.TaskAnswer(
        id=task.id,
        event_id=task.event_id,
        title=task.title,
        due=due_body(task.due),
        details=details_body(task.details),
        assignee_id=task.assignee_id,
        created_at=task.created_at,
        done_at=task.done_at,
    )


def dated_task(task: Task, event: Event) -> schemas.DatedTaskAnswer:
    due = due_on(task, event)
    return schemas.DatedTaskAnswer(
        **msgspec.structs.asdict(task_answer(task)),
        due_on=None if due is None else due.day,
        hijri=None if due is None else hijri_body(due.day),
        compressed=is_compressed(task, event),
    )


def task_details(sheet: Sheet) -> schemas.TaskDetailsAnswer:
    assert sheet.task is not None, "the use case answers with a task or refuses"
    return schemas.TaskDetailsAnswer(
        **msgspec.structs.asdict(dated_task(sheet.task, sheet.event)),
        rules=[rule_body(rule) for rule in sheet.rules],
    )


def tasks_answer(event: Event, page: Page[Task]) -> schemas.TasksAnswer:
    tasks = [dated_task(task, event) for task in page.items]
    return schemas.TasksAnswer(tasks=tasks, cursor=page.cursor)


def rule_body(rule: Rule) -> schemas.RuleBody:
    return schemas.RuleBody(
        id=rule.id,
        task_id=rule.task_id,
        user_id=rule.user_id,
        lead=lead_body(rule.lead),
        exact=rule.exact,
        zone_policy=str(rule.zone_policy),
        zone=rule.zone,
        created_at=rule.created_at,
    )


def profile_answer(person: Person) -> profile_schemas.ProfileAnswer:
    return profile_schemas.ProfileAnswer(
        user_id=person.user_id,
        zone=person.zone,
        zone_now=person.zone_now,
        locale=person.locale,
        muted=person.muted,
        quiet=quiet_body(person.quiet),
        fasting=str(person.fasting),
        hijri=person.hijri,
        follow_device=person.follow_device,
        digest=str(person.digest),
        digest_at=clock_text(person.digest_at),
    )


def quiet_of(body: shapes.QuietBody | None) -> Quiet | None:
    if body is None:
        return None
    return Quiet(time.fromisoformat(body.start), time.fromisoformat(body.end))


def quiet_body(quiet: Quiet | None) -> shapes.QuietBody | None:
    if quiet is None:
        return None
    return shapes.QuietBody(quiet.start.strftime("%H:%M"), quiet.end.strftime("%H:%M"))


def hijri_body(day: date | None) -> shapes.HijriBody | None:
    found = None if day is None else hijri_of(day)
    return None if found is None else shapes.HijriBody(*found)
