"""Reminders, wired."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zlib import crc32

from kernel.adapters.sql_leases import SqlLeases
from kernel.ids import UserId
from kernel.workers import Pulse
from messaging.standing.checks import Standing
from notifications.adapters.sql_devices import SqlDevices
from notifications.adapters.sql_preferences import SqlPreferences
from reminders import acting_routes, alarm_routes, card_routes, routes
from reminders.acting import Acting
from reminders.action import ActionSigner
from reminders.adapters.sql_alarms import SqlAlarmStore
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_cards import SqlCardStore
from reminders.adapters.sql_comparing import SqlPlanStore
from reminders.adapters.sql_digests import SqlDigestStore
from reminders.adapters.sql_feeds import SqlFeedStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.adapters.sql_guests import SqlGuestStore
from reminders.adapters.sql_operating import SqlOperatingStore
from reminders.adapters.sql_saying import SqlSayingStore
from reminders.adapters.sql_zones import SqlZoneStore
from reminders.alarm import ALARMS_CHANGED
from reminders.alarm_news import AlarmNews
from reminders.alarms import LocalAlarms
from reminders.announcer import Announcer
from reminders.cards import Cards
from reminders.catching_up import LateTurn
from reminders.choosing import Choosing
from reminders.defaults import Defaults
from reminders.digests.digester import Digester
from reminders.digests.preview import DigestPreview
from reminders.drift_watch import DriftWatch
from reminders.events import Events
from reminders.explain import Explain
from reminders.feeds.feeds import Feeds
from reminders.forgetting import Forgetting
from reminders.guests.guests import Guests
from reminders.handed import LATE, REMINDER
from reminders.imports.imports import Imports
from reminders.moving import Moving
from reminders.news import EVENT_CHANGED
from reminders.newsroom import Newsroom
from reminders.operating import Operating
from reminders.opting import OptOutSigner
from reminders.outside import Live, Talks
from reminders.overview import routes as overview_routes
from reminders.overview.overview import Overview
from reminders.parts import Parts
from reminders.people import People
from reminders.person import Ramadan
from reminders.planner import Planner
from reminders.rulebook import RuleBook
from reminders.scheduler import ONE_WRITER_BATCH, Scheduler
from reminders.snoozing import Snoozing
from reminders.tasks import Tasks
from reminders.zone_watch import ZoneWatch
from server.wiring.aftermath import SqlAftermath
from server.wiring.deeds import recorded
from server.wiring.ground import Ground, OpenedPart

PLAN, SCHEDULE = "plan", "schedule"
"""What the planners and schedulers of other processes are woken by."""


class Calendar:
    """Reminders' stores and use cases, on any role."""

    def __init__(self, ground: Ground, *, standing: Standing, talks: Talks) -> None:
        self._ground = ground
        self._store = store = SqlCalendarStore(ground.database)
        self._signer = ActionSigner(ground.settings.credentials.keys)
        self._opting = OptOutSigner(
            ground.settings.credentials.keys, base=ground.settings.server.public_url
        )
        self._planner_woken, self._scheduler_woken = Pulse(), Pulse()
        self._planning = Pulse(self._planner_woken, ground.relaying, ground.waking.beyond(PLAN))
        """Beats when something that reminders depend on was changed in this process: plans
        follow, wherever they are made, and what is told of the change."""
        self._scheduling = Pulse(self._scheduler_woken, ground.waking.beyond(SCHEDULE))
        """Beats when something was planned in this process that is due soon."""
        clock, planning = ground.clock, self._planning
        self._operating = SqlOperatingStore(ground.database, recorded)
        self._almanac = _Almanac(SqlPreferences(ground.database), self._operating)
        self._firings = SqlFiringStore(ground.database)
        self._digests = SqlDigestStore(ground.database)
        self.events = Events(store=store, clock=clock, planning=planning)
        self.parts = Parts(store=store, clock=clock, planning=planning)
        self.moving = Moving(store=store, clock=clock, planning=planning)
        self.snoozing = Snoozing(store=store, clock=clock, planning=planning)
        self.tasks = Tasks(store=store, clock=clock, planning=planning)
        self.rules = RuleBook(store=store, clock=clock, planning=planning)
        self.people = People(store=store, clock=clock, planning=planning)
        self.feeds = Feeds(
            store=SqlFeedStore(ground.database),
            calendar=store,
            clock=clock,
            options=ground.settings.feeds,
            default_locale=ground.settings.scheduler.default_locale,
        )
        self._alarms = SqlAlarmStore(ground.database, clock)
        guests = SqlGuestStore(ground.database)
        operating = Operating(
            store=self._operating, firings=self._firings, clock=clock, planning=planning
        )
        explain = Explain(
            calendar=store,
            firings=self._firings,
            aftermath=SqlAftermath(ground.database),
            alarms=self._alarms,
            guests=guests,
            almanac=self._almanac,
            operating=self._operating,
            clock=clock,
        )
        ground.operations += routes.operations(
            events=self.events,
            parts=self.parts,
            moving=self.moving,
            tasks=self.tasks,
            snoozing=self.snoozing,
            rules=self.rules,
            people=self.people,
            feeds=self.feeds,
            defaults=Defaults(store=store, clock=clock, planning=planning),
            choosing=Choosing(store=store, clock=clock, planning=planning),
            imports=Imports(
                store=store, clock=clock, planning=planning, options=ground.settings.imports
            ),
            guests=Guests(
                calendar=store,
                store=guests,
                clock=clock,
                planning=planning,
                signer=self._opting,
            ),
            digest=DigestPreview(store=self._digests, almanac=self._almanac, clock=clock),
            operating=operating,
            explain=explain,
        )
        ground.operations += overview_routes.operations(
            Overview(
                operating=operating,
                events=self.events,
                tasks=self.tasks,
                explain=explain,
                zones=SqlZoneStore(ground.database),
                almanac=self._almanac,
                clock=clock,
            )
        )

        ground.operations += acting_routes.operations(
            Acting(
                store=store,
                signer=self._signer,
                standing=_Stands(standing),
                clock=clock,
                metrics=ground.metrics,
                planning=planning,
            )
        )

        ground.operations += card_routes.operations(
            Cards(store=SqlCardStore(ground.database), calendar=store, talks=talks, clock=clock)
        )
        ground.operations += alarm_routes.operations(
            LocalAlarms(
                store=self._alarms,
                almanac=self._almanac,
                operating=self._operating,
                owners=SqlDevices(ground.database),
                signer=self._signer,
                clock=clock,
                default_locale=ground.settings.scheduler.default_locale,
            )
        )

    def relay(self, *, live: Live) -> None:
        """What went off is put into words, and what changed is told."""
        ground = self._ground
        ground.handlers[EVENT_CHANGED] = Newsroom(live=live).handle
        ground.handlers[ALARMS_CHANGED] = AlarmNews(live=live, clock=ground.clock).handle
        announcer = Announcer(
            store=SqlSayingStore(ground.database),
            almanac=self._almanac,
            operating=self._operating,
            clock=ground.clock,
            metrics=ground.metrics,
            default_locale=ground.settings.scheduler.default_locale,
            signer=self._signer,
            opting=self._opting,
        )
        ground.handlers[REMINDER] = ground.handlers[LATE] = announcer.handle

    def scheduler(self) -> None:
        """Firings are planned, and go off when they are due."""
        ground, settings = self._ground, self._ground.settings
        # Whoever else writes waits for one event, not for many.
        one_writer = {"together": 1, "lanes": 1} if ground.database.is_sqlite else {}
        planner = Planner(
            store=self._firings,
            almanac=self._almanac,
            clock=ground.clock,
            metrics=ground.metrics,
            options=settings.planner,
            pulse=self._planner_woken,
            scheduling=self._scheduling,
            soon=timedelta(
                seconds=settings.scheduler.look_ahead_seconds + settings.scheduler.poll_seconds
            ),
            **one_writer,
        )
        options = settings.scheduler
        if ground.database.is_sqlite:
            options = replace(options, batch=min(options.batch, ONE_WRITER_BATCH))
        scheduler = Scheduler(
            store=self._firings,
            operating=self._operating,
            almanac=self._almanac,
            clock=ground.clock,
            metrics=ground.metrics,
            options=options,
            relaying=ground.relaying,
            pulse=self._scheduler_woken,
            # Each begins elsewhere.
            first_shard=crc32(ground.node_id.encode()),
            late=LateTurn(
                SqlLeases(ground.database),
                node_id=ground.node_id,
                clock=ground.clock,
                per_second=options.late_share * settings.throttle.phones_per_second,
            ),
        )
        ground.waking.feel(PLAN, self._planner_woken)
        ground.waking.feel(SCHEDULE, self._scheduler_woken)
        zones = ZoneWatch(
            store=SqlZoneStore(ground.database),
            clock=ground.clock,
            metrics=ground.metrics,
            planning=self._planning,
        )
        ground.parts.append(OpenedPart(open=zones.open))
        digester = Digester(
            store=self._digests,
            operating=self._operating,
            almanac=self._almanac,
            clock=ground.clock,
            metrics=ground.metrics,
            options=settings.digests,
            default_locale=settings.scheduler.default_locale,
            relaying=ground.relaying,
        )
        forgetting = Forgetting(
            store=self._store,
            firings=self._firings,
            digests=self._digests,
            alarms=self._alarms,
            clock=ground.clock,
        )
        drift = DriftWatch(
            store=SqlPlanStore(ground.database),
            almanac=self._almanac,
            clock=ground.clock,
            metrics=ground.metrics,
        )
        ground.workers += [planner, scheduler, digester, zones, forgetting, drift]


class _Stands:
    """What stands against an access token that was issued then stands against a reminder's."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def check(self, user_id: UserId, *, issued_at: datetime) -> None:
        self._standing.check(user_id, {"iat": issued_at.timestamp()})


class _Almanac:
    """Ramadan is when the operator said that quiet hours have it."""

    def __init__(self, store: SqlPreferences, operating: SqlOperatingStore) -> None:
        self._store = store
        self.spread = operating.spread

    async def ramadans(self) -> Sequence[Ramadan]:
        return [
            Ramadan(each.year, each.starts_on, each.ends_on)
            for each in await self._store.ramadans()
        ]
