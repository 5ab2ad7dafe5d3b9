"""From what is asked to use cases, and from their values to answers: translation only."""

from kernel.identity import Principal
from kernel.ids import UserId
from kernel.operations import Nothing
from reminders import bodies, firing_bodies, profile_schemas, schemas
from reminders.events import Events
from reminders.explain import Explain
from reminders.limits import checked_user
from reminders.people import People
from reminders.person import Digests, FastingPolicy
from reminders.rulebook import RuleBook
from reminders.snoozing import Later, Snoozing
from reminders.tasks import Tasks
from reminders.types import Role, TaskDetails, ZonePolicy


class Asking:
    """One method per operation. Who is a server and names a user, asks on that user's behalf."""

    def __init__(
        self,
        events: Events,
        tasks: Tasks,
        snoozing: Snoozing,
        rules: RuleBook,
        people: People,
        explain: Explain,
    ) -> None:
        self._events = events
        self._tasks = tasks
        self._snoozing = snoozing
        self._rules = rules
        self._people = people
        self._explain = explain

    async def create_event(
        self, principal: Principal, asked: schemas.CreateEvent
    ) -> schemas.EventDetailsAnswer:
        owner = asked.owner_id if isinstance(asked, schemas.CreateEventFor) else None
        sheet = await self._events.create(
            principal,
            title=asked.title,
            zone=asked.zone,
            day=asked.day,
            at=bodies.clock_of(asked.at),
            owner_id=_user(owner, "owner_id"),
            event_id=asked.id,
            usual=asked.usual,
        )
        return bodies.event_details(sheet)

    async def list_events(
        self, principal: Principal, asked: schemas.ListEvents
    ) -> schemas.EventsAnswer:
        user = asked.user_id if isinstance(asked, schemas.ListEventsOf) else None
        page = await self._events.of(
            principal, cursor=asked.cursor, limit=asked.limit, user_id=_user(user)
        )
        return bodies.events_answer(page)

    async def get_event(
        self, principal: Principal, asked: schemas.OneEvent
    ) -> schemas.EventDetailsAnswer:
        return bodies.event_details(await self._events.get(principal, asked.event_id))

    async def rename_event(
        self, principal: Principal, asked: schemas.RenameEvent
    ) -> schemas.EventDetailsAnswer:
        sheet = await self._events.rename(
            principal, asked.event_id, title=asked.title, usual=asked.usual
        )
        return bodies.event_details(sheet)

    async def cancel_event(
        self, principal: Principal, asked: schemas.OneEvent
    ) -> schemas.EventDetailsAnswer:
        return bodies.event_details(await self._events.cancel(principal, asked.event_id))

    async def put_member(
        self, principal: Principal, asked: schemas.PutMember
    ) -> schemas.EventDetailsAnswer:
        user = checked_user(asked.user_id)
        sheet = await self._events.put_member(
            principal,
            asked.event_id,
            user_id=user,
            role=Role(asked.role),
            part=asked.part,
            call_at=bodies.clock_of(asked.call_at),
        )
        return bodies.event_details(sheet)

    async def remove_member(self, principal: Principal, asked: schemas.OneMember) -> Nothing:
        user = checked_user(asked.user_id)
        await self._events.remove_member(principal, asked.event_id, user_id=user)
        return Nothing()

    async def create_task(
        self, principal: Principal, asked: schemas.CreateTask
    ) -> schemas.TaskAnswer:
        task = await self._tasks.create(
            principal,
            asked.event_id,
            title=asked.title,
            due=bodies.due_spec(asked.due),
            assignee_id=_user(asked.assignee_id, "assignee_id"),
            task_id=asked.id,
            details=bodies.details_of(asked.details) or TaskDetails(),
        )
        return bodies.task_answer(task)

    async def list_tasks(
        self, principal: Principal, asked: schemas.ListTasks
    ) -> schemas.TasksAnswer:
        event, page = await self._tasks.of(
            principal, asked.event_id, cursor=asked.cursor, limit=asked.limit
        )
        return bodies.tasks_answer(event, page)

    async def get_task(
        self, principal: Principal, asked: schemas.OneTask
    ) -> schemas.TaskDetailsAnswer:
        return bodies.task_details(await self._tasks.get(principal, asked.event_id, asked.task_id))

    async def update_task(
        self, principal: Principal, asked: schemas.UpdateTask
    ) -> schemas.TaskAnswer:
        task = await self._tasks.update(
            principal,
            asked.event_id,
            asked.task_id,
            title=asked.title,
            due=bodies.due_spec(asked.due),
            assignee_id=_user(asked.assignee_id, "assignee_id"),
            details=bodies.details_of(asked.details),
        )
        return bodies.task_answer(task)

    async def complete_task(
        self, principal: Principal, asked: schemas.OneTask
    ) -> schemas.TaskAnswer:
        task = await self._tasks.complete(principal, asked.event_id, asked.task_id)
        return bodies.task_answer(task)

    async def reopen_task(self, principal: Principal, asked: schemas.OneTask) -> schemas.TaskAnswer:
        task = await self._tasks.reopen(principal, asked.event_id, asked.task_id)
        return bodies.task_answer(task)

    async def snooze_task(
        self, principal: Principal, asked: schemas.SnoozeTask
    ) -> schemas.SnoozedAnswer:
        user = asked.user_id if isinstance(asked, schemas.SnoozeTaskFor) else None
        at = await self._snoozing.snooze(
            principal,
            asked.event_id,
            asked.task_id,
            action_id=asked.action_id,
            choice=None if asked.choice is None else Later(asked.choice),
            until=asked.until,
            user_id=_user(user),
        )
        return schemas.SnoozedAnswer(until=at)

    async def delete_task(self, principal: Principal, asked: schemas.OneTask) -> Nothing:
        await self._tasks.delete(principal, asked.event_id, asked.task_id)
        return Nothing()

    async def restore_task(
        self, principal: Principal, asked: schemas.OneTask
    ) -> schemas.TaskAnswer:
        task = await self._tasks.restore(principal, asked.event_id, asked.task_id)
        return bodies.task_answer(task)

    async def put_rule(self, principal: Principal, asked: schemas.PutRule) -> schemas.RuleBody:
        rule = await self._rules.put(
            principal,
            asked.event_id,
            rule_id=asked.rule_id,
            task_id=asked.task_id,
            user_id=_user(asked.user_id),
            lead=bodies.lead_of(asked.lead),
            exact=asked.exact,
            zone_policy=ZonePolicy(asked.zone_policy),
            zone=asked.zone,
        )
        return bodies.rule_body(rule)

    async def drop_rule(self, principal: Principal, asked: schemas.OneRule) -> Nothing:
        await self._rules.drop(
            principal, asked.event_id, rule_id=asked.rule_id, task_id=asked.task_id
        )
        return Nothing()

    async def get_profile(
        self, principal: Principal, asked: Nothing | profile_schemas.OnePerson
    ) -> profile_schemas.ProfileAnswer:
        user = asked.user_id if isinstance(asked, profile_schemas.OnePerson) else None
        return bodies.profile_answer(await self._people.get(principal, user_id=_user(user)))

    async def put_profile(
        self, principal: Principal, asked: profile_schemas.PutProfile
    ) -> profile_schemas.ProfileAnswer:
        user = asked.user_id if isinstance(asked, profile_schemas.PutProfileOf) else None
        person = await self._people.put(
            principal,
            zone=asked.zone,
            locale=asked.locale,
            muted=asked.muted,
            quiet=bodies.quiet_of(asked.quiet),
            fasting=FastingPolicy(asked.fasting),
            hijri=asked.hijri,
            follow_device=asked.follow_device,
            digest=Digests(asked.digest),
            digest_at=bodies.clock_of(asked.digest_at),
            user_id=_user(user),
        )
        return bodies.profile_answer(person)

    async def report_zone(
        self, principal: Principal, asked: profile_schemas.ReportZone
    ) -> profile_schemas.ProfileAnswer:
        user = asked.user_id if isinstance(asked, profile_schemas.ReportZoneOf) else None
        person = await self._people.report_zone(
            principal, zone=asked.zone, confirmed=asked.confirmed, user_id=_user(user)
        )
        return bodies.profile_answer(person)

    async def list_firings(
        self, principal: Principal, asked: schemas.ListFirings
    ) -> schemas.FiringsAnswer:
        user = asked.user_id if isinstance(asked, schemas.ListFiringsOf) else None
        coming = await self._explain.upcoming(
            principal, cursor=asked.cursor, limit=asked.limit, user_id=_user(user)
        )
        return firing_bodies.firings_answer(coming)

    async def explain(
        self, principal: Principal, asked: schemas.OneTask
    ) -> schemas.ExplanationAnswer:
        user = asked.user_id if isinstance(asked, schemas.ExplainTask) else None
        explained = await self._explain.of(
            principal, asked.event_id, asked.task_id, user_id=_user(user)
        )
        return firing_bodies.explanation_answer(explained)

    async def explain_event(
        self, principal: Principal, asked: schemas.OneEvent
    ) -> schemas.ExplanationAnswer:
        user = asked.user_id if isinstance(asked, schemas.ExplainEvent) else None
        explained = await self._explain.of_event(principal, asked.event_id, user_id=_user(user))
        return firing_bodies.explanation_answer(explained)

    async def explain_guest(
        self, principal: Principal, asked: schemas.ExplainGuest
    ) -> schemas.ExplanationAnswer:
        user = checked_user(asked.user_id)
        explained = await self._explain.of_guest(
            principal, asked.event_id, user_id=user, part=asked.part
        )
        return firing_bodies.explanation_answer(explained)


def _user(user_id: str | None, field: str = "user_id") -> UserId | None:
    return None if user_id is None else checked_user(user_id, field=field)
