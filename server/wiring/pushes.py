"""Notifications, wired."""

from collections.abc import Mapping

from kernel.adapters.sql_leases import SqlLeases
from kernel.notices import NOTICE, RECALL, WITHDRAWAL
from kernel.workers import Pulse
from notifications import campaign_routes, routes
from notifications.adapters.redis_throttle import RedisThrottle
from notifications.adapters.rehearsal import AdaptersRehearsal
from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_campaigns import SqlCampaigns
from notifications.adapters.sql_dead_pushes import SqlDeadPushes
from notifications.adapters.sql_devices import SqlDevices
from notifications.adapters.sql_erasure import SqlEraser
from notifications.adapters.sql_ledger import SqlLedger
from notifications.adapters.sql_pushes import SqlPushes
from notifications.adapters.sql_recalls import SqlRecalls
from notifications.adapters.sql_registry import SqlRegistry
from notifications.adapters.sql_surveys import SqlSurveys
from notifications.adapters.sql_tallies import SqlTallies
from notifications.adapters.sql_templates import SqlTemplates
from notifications.app_pace import AppPace
from notifications.apps import routes as app_routes
from notifications.apps.apps import Apps
from notifications.apps.checks import ProviderChecks
from notifications.apps.fleet import Fleet
from notifications.audit import routes as audit_routes
from notifications.audit.trail import Trail
from notifications.braking import Brakes
from notifications.campaigns import Campaigns, CampaignWorker
from notifications.coalescing.recalls import Recalls
from notifications.coalescing.withdrawals import Withdrawals
from notifications.dead import routes as dead_routes
from notifications.dead.pushes import DeadPushes
from notifications.devices import Devices
from notifications.dispatcher import Dispatcher
from notifications.feedback import Feedback
from notifications.intake import Intake
from notifications.ports import SharedRates
from notifications.registry import routes as registry_routes
from notifications.registry.cleanup import Cleanup
from notifications.registry.erasure import Erasure
from notifications.registry.register import Register
from notifications.reports.signing import ReportSigner
from notifications.sandbox.sandbox import Sandbox
from notifications.templates import routes as template_routes
from notifications.templates.authoring import Templates
from notifications.templates.shelf import Shelf
from notifications.types import Route
from notifications.upkeep import Upkeep
from reminders.adapters.sql_alarms import SqlAlarmStore
from reminders.adapters.sql_erasure import CalendarEraser
from server.wiring.ground import Ground
from server.wiring.preferences import Choices
from server.wiring.providers import Providers
from server.wiring.sends import Sending
from server.wiring.webhooks import Telling


class Pushes:
    """Notifications' stores and use cases, on any role."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._sending = Pulse()
        """Beats when pushes were planned in this process."""
        self._expanding = Pulse()
        """Beats when a campaign was started in this process."""
        self._changed = Pulse()
        """Beats when credentials were changed in this process."""
        self._providers = Providers(ground)
        self._device_store = SqlDevices(ground.database)
        self._ledger = SqlLedger(ground.database)
        self.choices = Choices(ground, devices=self._device_store, ledger=self._ledger)
        self._push_store = SqlPushes(
            ground.database,
            rulebook=self.choices.rulebook,
            report_id=ReportSigner(ground.settings.credentials.keys).signed,
            unread=self.choices.unread if ground.settings.coalescing.badges else None,
        )
        self._campaign_store = SqlCampaigns(ground.database)
        self._audit = SqlAudit(ground.database)
        self._registry = SqlRegistry(ground.database)
        clock = ground.clock
        template_store, template_options = SqlTemplates(ground.database), ground.settings.templates
        self._shelf = Shelf(store=template_store, clock=clock, options=template_options)
        templates = Templates(
            store=template_store,
            shelf=self._shelf,
            rehearsal=AdaptersRehearsal(),
            clock=clock,
            options=template_options,
        )
        ground.operations += template_routes.operations(templates)
        self.devices = Devices(
            store=self._device_store, clock=clock, options=ground.settings.devices
        )
        dead = DeadPushes(store=SqlDeadPushes(ground.database), clock=clock, pulse=self._sending)
        ground.operations += dead_routes.operations(dead)
        self._sends = Sending(
            ground,
            devices=self._device_store,
            pushes=self._ledger,
            shelf=self._shelf,
            voices=self.choices.voices,
        )
        self._telling = Telling(ground, ring=self._providers.ring)
        ground.operations += audit_routes.operations(Trail(audit=self._audit))
        ground.operations += app_routes.operations(
            apps=Apps(
                store=self._providers.store,
                ring=self._providers.ring,
                settings=self._providers.of_settings,
                clock=clock,
                changed=self._changed,
            ),
            checks=ProviderChecks(
                book=self._providers.book,
                make=self._providers.make,
                surveys=SqlSurveys(ground.database),
            ),
            token_uris=ground.settings.credentials.token_uris,
            others=[self._telling.webhooks.reseal],
        )
        ground.operations += registry_routes.operations(
            register=Register(
                registry=self._registry,
                audit=self._audit,
                clock=clock,
                per_user=ground.settings.devices.per_user,
            ),
            erasure=Erasure(
                eraser=SqlEraser(ground.database, others=[CalendarEraser(ground.database).erase]),
                clock=clock,
            ),
        )
        ground.operations += routes.operations(
            devices=self.devices,
            sends=self._sends.sends,
        )
        campaigns = Campaigns(
            store=self._campaign_store, shelf=self._shelf, clock=clock, pulse=self._expanding
        )
        ground.operations += campaign_routes.operations(campaigns)

    def relay(self) -> None:
        """Notices become notifications and pushes."""
        intake = Intake(
            devices=self._device_store,
            pushes=self._push_store,
            shelf=self._shelf,
            voices=self.choices.voices,
            unread=self.choices.unread,
            alarms=SqlAlarmStore(self._ground.database, self._ground.clock),
            coalescing=self._ground.settings.coalescing,
            clock=self._ground.clock,
            metrics=self._ground.metrics,
            pulse=self._sending,
        )
        self._ground.handlers[NOTICE] = intake.handle
        self._sends.relay()
        withdrawals = Withdrawals(
            threads=self.choices.threads,
            unread=self.choices.unread,
            badges=self._ground.settings.coalescing.badges,
            clock=self._ground.clock,
            metrics=self._ground.metrics,
            pulse=self._sending,
        )
        self._ground.handlers[WITHDRAWAL] = withdrawals.handle
        recalls = Recalls(
            store=SqlRecalls(self._ground.database),
            clock=self._ground.clock,
            metrics=self._ground.metrics,
            pulse=self._sending,
        )
        self._ground.handlers[RECALL] = recalls.handle
        self._telling.relay()

    def dispatcher(self) -> None:
        """Pushes go to the providers, and what comes back is settled."""
        ground, settings = self._ground, self._ground.settings
        clock, metrics = ground.clock, ground.metrics
        if settings.sandboxed:
            ground.parts.append(Sandbox(settings.sandbox, clock))
        dispatcher = Dispatcher(
            store=self._push_store,
            # The fleet brings them; without any, pushes wait until upkeep ends them.
            providers={},
            feedback=Feedback(devices=self._device_store, clock=clock, metrics=metrics),
            clock=clock,
            metrics=metrics,
            options=settings.dispatcher,
            throttle=settings.throttle,
            pulse=self._sending,
            rates=self._rates(),
            brakes=Brakes(
                store=self._campaign_store,
                tallies=SqlTallies(ground.database, node_id=ground.node_id),
                clock=clock,
                metrics=metrics,
                options=settings.campaigns,
            ),
            pace=self._pace(),
            device_pace=self._sends.device_pace(),
        )
        upkeep = Upkeep(
            store=self._push_store,
            ledger=self._ledger,
            devices=self._device_store,
            clock=clock,
            metrics=metrics,
            options=settings.upkeep,
        )
        campaigns = CampaignWorker(
            store=self._campaign_store,
            clock=clock,
            pulse=self._expanding,
            planned=self._sending,
            rulebook=self.choices.rulebook,
            beside_quarters=settings.campaigns.beside_quarters,
        )
        fleet = Fleet(
            book=self._providers.book,
            make=self._providers.make,
            dispatcher=dispatcher,
            clock=clock,
            metrics=metrics,
            refresh_seconds=settings.credentials.refresh_seconds,
            pulse=self._changed,
        )
        cleanup = Cleanup(
            registry=self._registry,
            audit=self._audit,
            leases=SqlLeases(ground.database),
            node_id=ground.node_id,
            clock=clock,
            metrics=metrics,
            options=settings.cleanup,
        )
        ground.parts.append(fleet)
        ground.workers += [upkeep, campaigns, dispatcher, fleet, cleanup]

    def _rates(self) -> SharedRates | None:
        """Dispatchers that meet in Redis share what their credentials may be fed."""
        throttle = self._ground.settings.throttle
        return self._shared(throttle.rates, ramp=throttle.ramp_seconds, name="throttle")

    def _pace(self) -> AppPace | None:
        """How fast each app's campaigns may go, if there is an end to it."""
        per_second = self._ground.settings.throttle.app_marketing_per_second
        if not per_second:
            return None
        shared = self._shared(dict.fromkeys(Route, per_second), ramp=0.0, name="app-pace")
        return AppPace(per_second=per_second, shared=shared)

    def _shared(
        self, rates: Mapping[Route, float], *, ramp: float, name: str
    ) -> SharedRates | None:
        ground = self._ground
        if ground.redis is None:
            return None
        return RedisThrottle(
            ground.redis,
            rates=rates,
            ramp=ramp,
            node_id=ground.node_id,
            prefix=f"{ground.settings.redis.prefix}{name}",
            clock=ground.clock,
            metrics=ground.metrics,
        )
