"""Reminders, wired."""

from kernel.workers import Pulse
from reminders import routes
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_firings import SqlFiringStore
from reminders.events import Events
from reminders.explain import Explain
from reminders.people import People
from reminders.planner import Planner
from reminders.rulebook import RuleBook
from reminders.scheduler import Scheduler
from reminders.tasks import Tasks
from server.wiring.ground import Ground


class Calendar:
    """Reminders' stores and use cases, on any role."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._planning = Pulse()
        """Beats when something that reminders depend on was changed in this process."""
        store, clock, planning = SqlCalendarStore(ground.database), ground.clock, self._planning
        self._firings = SqlFiringStore(ground.database)
        self.events = Events(store=store, clock=clock, planning=planning)
        self.tasks = Tasks(store=store, clock=clock, planning=planning)
        self.rules = RuleBook(store=store, clock=clock, planning=planning)
        self.people = People(store=store, clock=clock, planning=planning)
        ground.operations += routes.operations(
            events=self.events,
            tasks=self.tasks,
            rules=self.rules,
            people=self.people,
            explain=Explain(calendar=store, firings=self._firings, clock=clock),
        )

    def scheduler(self) -> None:
        """Firings are planned, and go off when they are due."""
        ground, settings = self._ground, self._ground.settings
        planner = Planner(
            store=self._firings,
            clock=ground.clock,
            metrics=ground.metrics,
            options=settings.planner,
            pulse=self._planning,
        )
        scheduler = Scheduler(
            store=self._firings,
            clock=ground.clock,
            metrics=ground.metrics,
            options=settings.scheduler,
            relaying=ground.relaying,
        )
        ground.workers += [planner, scheduler]
