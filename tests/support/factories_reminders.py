"""Valid reminders values; a test says only what it is about."""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.adapters.outbox_claims import OUTBOX
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.errors import Denied
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import NOTICE, Notice, notice_of
from kernel.outbox import Claimed
from kernel.workers import Pulse
from reminders.acting import Acting
from reminders.action import ActionSigner
from reminders.adapters.mapping import FIRINGS
from reminders.adapters.sql_alarms import SqlAlarmStore
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_digests import SqlDigestStore
from reminders.adapters.sql_feeds import SqlFeedStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.adapters.sql_guests import SqlGuestStore
from reminders.adapters.sql_operating import SqlOperatingStore
from reminders.adapters.sql_saying import SqlSayingStore
from reminders.alarms import LocalAlarms
from reminders.announcer import Announcer
from reminders.choosing import Choosing
from reminders.defaults import Defaults
from reminders.digests.digester import Digester, DigestOptions
from reminders.digests.preview import DigestPreview
from reminders.events import Events
from reminders.explain import Explain
from reminders.feeds.feeds import FeedOptions, Feeds
from reminders.forgetting import Forgetting
from reminders.guests.guests import Guests
from reminders.handed import LATE, REMINDER
from reminders.imports.imports import ImportOptions, Imports
from reminders.moving import Moving
from reminders.operating import Operating
from reminders.opting import OptOutSigner
from reminders.parts import Parts
from reminders.people import People
from reminders.person import Person, Ramadan
from reminders.planner import Planner, PlannerOptions
from reminders.rulebook import RuleBook
from reminders.scheduler import Scheduler, SchedulerOptions
from reminders.snoozing import Snoozing
from reminders.tasks import Tasks
from reminders.types import (
    CalendarLead,
    DueSpec,
    Event,
    FromEvent,
    Lead,
    Member,
    Offset,
    Role,
    Rule,
    Task,
    ZonePolicy,
)
from server.wiring.aftermath import SqlAftermath
from server.wiring.deeds import recorded
from tests.support.clock import START, ManualClock

AMINA = UserId("amina")
BILAL = UserId("bilal")
CELIA = UserId("célia")

OPTING = OptOutSigner(["a secret of a test"], base="https://push.example.dz/")

LONG_AGO = datetime(1999, 1, 1, tzinfo=UTC)

SIGNER = ActionSigner(["test:secret"])


def user(user_id: UserId) -> Principal:
    return Principal(user_id=user_id)


def server(*scopes: Scope) -> Principal:
    return Principal(key_id=uuid.UUID(int=1), scopes=frozenset(scopes or (Scope.REMINDERS,)))


def event(
    *,
    id: UUID | None = None,
    day: date | None = date(2026, 3, 20),
    at: time | None = None,
    zone: str = "Africa/Algiers",
    planned_from: datetime = LONG_AGO,
    cancelled_at: datetime | None = None,
    sched_version: int = 1,
) -> Event:
    return Event(
        id=id or uuid.uuid4(),
        title="زفاف أمينة وبلال",
        zone=zone,
        day=day,
        at=at,
        created_by=AMINA,
        created_at=LONG_AGO,
        planned_from=planned_from,
        sched_version=sched_version,
        cancelled_at=cancelled_at,
    )


def member(
    of: Event, user_id: UserId = AMINA, role: Role = Role.OWNER, joined_at: datetime = LONG_AGO
) -> Member:
    return Member(of.id, user_id, role, joined_at)


def task(
    of: Event,
    due: DueSpec = FromEvent(Offset()),  # noqa: B008
    *,
    id: UUID | None = None,
    title: str = "Confirmer le traiteur",
    assignee_id: UserId | None = None,
    planned_from: datetime = LONG_AGO,
    done_at: datetime | None = None,
    deleted_at: datetime | None = None,
    sched_version: int = 1,
) -> Task:
    return Task(
        id=id or uuid.uuid4(),
        event_id=of.id,
        title=title,
        due=due,
        assignee_id=assignee_id,
        created_by=AMINA,
        created_at=LONG_AGO,
        planned_from=planned_from,
        sched_version=sched_version,
        done_at=done_at,
        deleted_at=deleted_at,
    )


def day_before(at: time = time(9)) -> CalendarLead:
    return CalendarLead(Offset(days=1), at)


def rule(
    of: Event,
    lead: Lead = day_before(),  # noqa: B008
    *,
    about: Task | None = None,
    id: UUID | None = None,
    user_id: UserId | None = None,
    exact: bool = True,
    planned_from: datetime = LONG_AGO,
    zone_policy: ZonePolicy = ZonePolicy.RECIPIENT,
    zone: str | None = None,
) -> Rule:
    return Rule(
        id=id or uuid.uuid4(),
        event_id=of.id,
        task_id=None if about is None else about.id,
        user_id=user_id,
        lead=lead,
        exact=exact,
        created_at=LONG_AGO,
        planned_from=planned_from,
        zone_policy=zone_policy,
        zone=zone,
    )


def person(user_id: UserId, zone: str = "Africa/Algiers", locale: str = "fr-DZ") -> Person:
    return Person(user_id, zone, locale)


@dataclass(frozen=True)
class Room:
    """The whole room on one database, driven by hand."""

    database: Database
    clock: ManualClock
    calendar: SqlCalendarStore
    firings: SqlFiringStore
    events: Events
    parts: Parts
    moving: Moving
    tasks: Tasks
    snoozing: Snoozing
    acting: Acting
    standing: "Standing"
    alarms: SqlAlarmStore
    local_alarms: LocalAlarms
    owners: "Owners"
    rules: RuleBook
    people: People
    explain: Explain
    feeds: Feeds
    imports: Imports
    operating: Operating
    defaults: Defaults
    choosing: Choosing
    digest: DigestPreview
    guests: Guests
    digester: Digester
    forgetting: Forgetting
    planner: Planner
    scheduler: Scheduler
    announcer: Announcer
    outbox: SqlOutbox
    almanac: "KnownDays"
    planning: Pulse
    relaying: Pulse

    async def announce(self) -> None:
        """What went off and is due to be said is put into words, as the relay does it."""
        if handed := await self.taken(REMINDER, LATE):
            then = await self.announcer.handle(handed)
            await self.outbox.settle(handed, then=then, now=self.clock.now())

    async def notices(self) -> list[Notice]:
        """The notices that went out, oldest first; looking takes them."""
        await self.announce()
        return [notice_of(entry.payload) for entry in await self.taken(NOTICE)]

    async def told_until(self, end: datetime) -> list[Notice]:
        """All that is told on the way, from one moment at which something is due to the next."""
        told: list[Notice] = []
        while True:
            await self.planner.step()
            await self.scheduler.step()
            told += await self.notices()
            if self.clock.now() >= end:
                return told
            at = min([end, *await self.coming()])
            self.clock.move(seconds=(at - self.clock.now()).total_seconds())

    async def coming(self) -> list[datetime]:
        """When the next firing is due, and the next of what was handed over ahead."""
        now = self.clock.now()
        found: list[datetime | None] = []
        async with self.database.reading() as connection:
            for due_at in (FIRINGS.c.due_at, OUTBOX.c.due_at):
                query = sa.select(sa.func.min(due_at)).where(due_at > now)
                found.append((await connection.execute(query)).scalar_one())
        return [each for each in found if each is not None]

    async def taken(self, *kinds: str) -> list[Claimed]:
        """What waits in the outbox and is due."""
        return await self.outbox.claim(
            kinds, now=self.clock.now(), lease=timedelta(days=999), limit=1000
        )


def room(database: Database, clock: ManualClock, metrics: Metrics) -> Room:
    calendar = SqlCalendarStore(database)
    firings = SqlFiringStore(database)
    operating = SqlOperatingStore(database, recorded)
    digests = SqlDigestStore(database)
    almanac, standing, owners = KnownDays(), Standing(), Owners()
    almanac.spread = operating.spread  # type: ignore[method-assign]
    alarms = SqlAlarmStore(database, clock)
    planning, relaying = Pulse(), Pulse()
    parts = {"store": calendar, "clock": clock, "planning": planning}
    return Room(
        database=database,
        clock=clock,
        calendar=calendar,
        firings=firings,
        events=Events(**parts),
        parts=Parts(**parts),
        moving=Moving(**parts),
        tasks=Tasks(**parts),
        snoozing=Snoozing(**parts),
        acting=Acting(**parts, signer=SIGNER, standing=standing, metrics=metrics),
        standing=standing,
        alarms=alarms,
        local_alarms=LocalAlarms(
            store=alarms,
            almanac=almanac,
            operating=operating,
            owners=owners,
            signer=SIGNER,
            clock=clock,
            default_locale="en",
        ),
        owners=owners,
        rules=RuleBook(**parts),
        people=People(**parts),
        explain=Explain(
            calendar=calendar,
            firings=firings,
            aftermath=SqlAftermath(database),
            alarms=alarms,
            guests=SqlGuestStore(database),
            almanac=almanac,
            operating=operating,
            clock=clock,
        ),
        feeds=Feeds(
            store=SqlFeedStore(database),
            calendar=calendar,
            clock=clock,
            options=FeedOptions(),
            default_locale="en",
        ),
        imports=Imports(**parts, options=ImportOptions()),
        operating=Operating(store=operating, firings=firings, clock=clock, planning=planning),
        defaults=Defaults(**parts),
        choosing=Choosing(**parts),
        guests=Guests(
            calendar=calendar,
            store=SqlGuestStore(database),
            clock=clock,
            planning=planning,
            signer=OPTING,
        ),
        digest=DigestPreview(store=digests, almanac=almanac, clock=clock),
        digester=Digester(
            store=digests,
            operating=operating,
            almanac=almanac,
            clock=clock,
            metrics=metrics,
            options=DigestOptions(),
            default_locale="en",
            relaying=relaying,
        ),
        forgetting=Forgetting(
            store=calendar, firings=firings, digests=digests, alarms=alarms, clock=clock
        ),
        planner=Planner(
            store=firings,
            almanac=almanac,
            clock=clock,
            metrics=metrics,
            options=PlannerOptions(),
            pulse=planning,
        ),
        scheduler=Scheduler(
            store=firings,
            operating=operating,
            almanac=almanac,
            clock=clock,
            metrics=metrics,
            options=SchedulerOptions(),
            relaying=relaying,
        ),
        announcer=Announcer(
            store=SqlSayingStore(database),
            almanac=almanac,
            operating=operating,
            clock=clock,
            metrics=metrics,
            default_locale="en",
            signer=SIGNER,
            opting=OPTING,
        ),
        outbox=SqlOutbox(database, clock),
        almanac=almanac,
        planning=planning,
        relaying=relaying,
    )


class KnownDays:
    """What is known of Ramadans: what a test says."""

    def __init__(self) -> None:
        self.known: list[Ramadan] = []

    async def ramadans(self) -> list[Ramadan]:
        return self.known

    async def spread(self) -> timedelta:
        return timedelta(0)


class Owners:
    """Whose devices are whose."""

    def __init__(self) -> None:
        self.by_device: dict[UUID, UserId] = {}

    async def owner(self, device_id: UUID) -> UserId | None:
        return self.by_device.get(device_id)


class Standing:
    """What stands against users: nothing, but for the proofs of some up to an instant."""

    def __init__(self) -> None:
        self.revoked: dict[UserId, datetime] = {}

    def check(self, user_id: UserId, *, issued_at: datetime) -> None:
        if issued_at <= self.revoked.get(user_id, LONG_AGO):
            raise Denied("The token was revoked.")


TODAY = START.date()
HOUR = timedelta(hours=1)
