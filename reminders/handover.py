"""What becomes of a due firing: the guards, and the notice it turns into. Pure."""

from datetime import datetime, timedelta

from kernel.notices import Notice, Urgency, entry_of
from reminders.due import due_of
from reminders.identity import collapse_key
from reminders.lateness import Decision, decide
from reminders.types import Due, DueFiring, Event, Firing, Judgement, Outcome, Person, Task
from reminders.wording import when_text

TEMPLATE = "task.reminder"
CATEGORY = "reminders"

LIFETIME = timedelta(hours=24)
"""A reminder that could not be delivered for so long is not delivered at all."""


def judge(due: DueFiring, *, now: datetime, default_locale: str) -> Judgement:
    """Let a firing go off, or say why not: what is true now decides, not what was planned."""
    firing, event, task, person = due.firing, due.event, due.task, due.person
    if task is None or task.deleted_at is not None or event.cancelled_at is not None:
        return Judgement(Outcome.GONE, "task or event gone")
    if not due.standing:
        return Judgement(Outcome.GONE, "rule or membership gone")
    if task.done_at is not None:
        return Judgement(Outcome.DONE)
    if (task.sched_version, event.sched_version) != (firing.task_version, firing.event_version):
        return Judgement(Outcome.STALE)
    if person is not None and person.muted:
        return Judgement(Outcome.MUTED)
    match decide(
        firing.firing_class,
        due_at=firing.due_at,
        grace=firing.grace,
        useful_until=firing.useful_until,
        now=now,
    ):
        case Decision.EXPIRE:
            return Judgement(Outcome.EXPIRED, "no longer useful")
        case Decision.FOLD:
            return Judgement(Outcome.EXPIRED, "missed beyond its grace")
        case Decision.SEND:
            meaning = due_of(task.due, event)
            assert meaning is not None, "a firing of these versions was planned from a due"
            notice = _notice(firing, event, task, meaning, person, now, default_locale)
            return Judgement(Outcome.FIRED, entries=(entry_of(notice),))


def _notice(
    firing: Firing,
    event: Event,
    task: Task,
    due: Due,
    person: Person | None,
    now: datetime,
    default_locale: str,
) -> Notice:
    key = collapse_key(firing.dedupe_key)
    when = when_text(
        due,
        locale=default_locale if person is None else person.locale,
        viewer_zone=event.zone if person is None else person.zone,
        now=now,
    )
    return Notice(
        user_ids=(firing.user_id,),
        template=TEMPLATE,
        category=CATEGORY,
        urgency=Urgency.TRANSACTIONAL,
        dedupe_key=f"reminder:{key}",
        expires_at=min(firing.useful_until, now + LIFETIME),
        variables={"task": task.title, "event": event.title, "when": when},
        collapse_key=key,
        thread=f"event:{event.id}",
        link=f"/events/{event.id}/tasks/{task.id}",
        data={"event_id": str(event.id), "task_id": str(task.id), "firing": key},
    )
