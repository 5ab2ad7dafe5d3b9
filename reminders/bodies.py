"""The room's values as bodies of its API, and back. Pure."""

from datetime import date, time, timedelta

from kernel.paging import Page
from reminders import schemas, shapes
from reminders.explain import Explained, Trace
from reminders.firing import Firing
from reminders.hijri import hijri_of
from reminders.times import ZONE_DATA_VERSION, wall_of
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
    Person,
    Quiet,
    Rule,
    Sheet,
    Task,
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
            return FromEvent(Offset(body.months, body.weeks, body.days), clock_of(body.at))


def due_body(due: DueSpec) -> shapes.DueBody | None:
    match due:
        case None:
            return None
        case OnDay(day):
            return shapes.DayDue(day)
        case AtWall(day, at, zone):
            return shapes.WallDue(day, at.strftime("%H:%M"), zone)
        case FromEvent(offset, at):
            return shapes.EventDue(offset.months, offset.weeks, offset.days, clock_text(at))


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
        title=event.title,
        zone=event.zone,
        day=event.day,
        at=clock_text(event.at),
        hijri=hijri_body(event.day),
        created_at=event.created_at,
        cancelled_at=event.cancelled_at,
        members=[
            schemas.MemberBody(
                user_id=member.user_id, role=str(member.role), joined_at=member.joined_at
            )
            for member in sheet.members
        ],
        rules=[rule_body(rule) for rule in sheet.rules if rule.task_id is None],
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
        assignee_id=task.assignee_id,
        created_at=task.created_at,
        done_at=task.done_at,
    )


def task_details(sheet: Sheet) -> schemas.TaskDetailsAnswer:
    task = sheet.task
    assert task is not None, "the use case answers with a task or refuses"
    return schemas.TaskDetailsAnswer(
        id=task.id,
        event_id=task.event_id,
        title=task.title,
        due=due_body(task.due),
        assignee_id=task.assignee_id,
        created_at=task.created_at,
        done_at=task.done_at,
        rules=[rule_body(rule) for rule in sheet.rules],
    )


def tasks_answer(page: Page[Task]) -> schemas.TasksAnswer:
    return schemas.TasksAnswer(tasks=[task_answer(task) for task in page.items], cursor=page.cursor)


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


def profile_answer(person: Person) -> schemas.ProfileAnswer:
    return schemas.ProfileAnswer(
        user_id=person.user_id,
        zone=person.zone,
        zone_now=person.zone_now,
        locale=person.locale,
        muted=person.muted,
        quiet=quiet_body(person.quiet),
        fasting=str(person.fasting),
        hijri=person.hijri,
        follow_device=person.follow_device,
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


def firings_answer(page: Page[Firing]) -> schemas.FiringsAnswer:
    firings = [
        schemas.FiringBody(
            due_at=firing.due_at,
            wall=wall_of(firing.due_at, firing.zone).isoformat(),
            zone=firing.zone,
            event_id=firing.event_id,
            task_id=firing.task_id,
            rule_id=firing.rule_id,
            user_id=firing.user_id,
        )
        for firing in page.items
    ]
    return schemas.FiringsAnswer(firings=firings, cursor=page.cursor)


def explanation_answer(explained: Explained) -> schemas.ExplanationAnswer:
    return schemas.ExplanationAnswer(
        zone_data=ZONE_DATA_VERSION,
        traces=[_trace_body(trace) for trace in explained.traces],
        settled=[
            schemas.SettledBody(
                rule_id=each.rule_id,
                due_at=each.due_at,
                decided_at=each.decided_at,
                outcome=str(each.outcome),
                reason=each.reason,
            )
            for each in explained.settled
        ],
    )


def _trace_body(trace: Trace) -> schemas.TraceBody:
    offset = trace.utc_offset
    return schemas.TraceBody(
        rule_id=trace.rule_id,
        state=str(trace.state),
        reason=trace.reason,
        due=trace.due,
        wall=None if trace.wall is None else trace.wall.isoformat(),
        zone=trace.zone,
        utc_offset_seconds=None if offset is None else int(offset.total_seconds()),
        due_at=trace.due_at,
        moved_by=trace.moved_by,
        jitter_seconds=None if trace.jitter is None else int(trace.jitter.total_seconds()),
    )
