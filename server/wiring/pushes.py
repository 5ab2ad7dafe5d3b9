"""Notifications, wired."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kernel.clock import SystemClock
from kernel.notices import NOTICE, Urgency
from kernel.workers import Pulse
from notifications import routes
from notifications.adapters.apns import ApnsOptions, ApnsProvider
from notifications.adapters.fcm import FcmOptions, FcmProvider
from notifications.adapters.redis_throttle import RedisThrottle
from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_campaigns import SqlCampaigns
from notifications.adapters.sql_dead_pushes import SqlDeadPushes
from notifications.adapters.sql_devices import SqlDevices
from notifications.adapters.sql_ledger import SqlLedger
from notifications.adapters.sql_pushes import SqlPushes
from notifications.adapters.sql_templates import SqlTemplates
from notifications.adapters.webpush import WebPushOptions, WebPushProvider
from notifications.adapters.webpush_crypto import Vapid, make_key
from notifications.announcements import Announcements
from notifications.audit import routes as audit_routes
from notifications.audit.trail import Trail
from notifications.campaigns import Campaigns, CampaignWorker
from notifications.dead import routes as dead_routes
from notifications.dead.pushes import DeadPushes
from notifications.devices import Devices
from notifications.dispatcher import Dispatcher
from notifications.feedback import Feedback
from notifications.intake import Intake
from notifications.ports import PushProvider, SharedRates
from notifications.sandbox.credentials import Files
from notifications.sandbox.options import SandboxOptions
from notifications.sandbox.sandbox import Sandbox
from notifications.templates.shelf import Shelf
from notifications.upkeep import Upkeep
from server.wiring.ground import Ground
from server.wiring.preferences import Choices


class Pushes:
    """Notifications' stores and use cases, on any role."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._sending = Pulse()
        """Beats when pushes were planned in this process."""
        self._expanding = Pulse()
        """Beats when a campaign was started in this process."""
        self._device_store = SqlDevices(ground.database)
        self._ledger = SqlLedger(ground.database)
        self.choices = Choices(ground, devices=self._device_store, ledger=self._ledger)
        self._push_store = SqlPushes(ground.database, rulebook=self.choices.rulebook)
        self._campaign_store = SqlCampaigns(ground.database)
        self._audit = SqlAudit(ground.database)
        clock = ground.clock
        self._template_store = SqlTemplates(ground.database)
        self._shelf = Shelf(
            store=self._template_store, clock=clock, options=ground.settings.templates
        )
        self.devices = Devices(
            store=self._device_store, clock=clock, options=ground.settings.devices
        )
        dead = DeadPushes(store=SqlDeadPushes(ground.database), clock=clock, pulse=self._sending)
        ground.operations += dead_routes.operations(dead)
        ground.operations += audit_routes.operations(Trail(audit=self._audit))
        ground.operations += routes.operations(
            devices=self.devices,
            announcements=Announcements(
                ledger=self._ledger, shelf=self._shelf, clock=clock, pulse=self._sending
            ),
            campaigns=Campaigns(store=self._campaign_store, clock=clock, pulse=self._expanding),
        )

    def relay(self) -> None:
        """Notices become notifications and pushes."""
        intake = Intake(
            devices=self._device_store,
            pushes=self._push_store,
            shelf=self._shelf,
            voices=self.choices.voices,
            clock=self._ground.clock,
            metrics=self._ground.metrics,
            pulse=self._sending,
        )
        self._ground.handlers[NOTICE] = intake.handle

    def dispatcher(self) -> None:
        """Pushes go to the providers, and what comes back is settled."""
        ground, settings = self._ground, self._ground.settings
        clock, metrics = ground.clock, ground.metrics
        fcm, apns, webpush = settings.fcm, settings.apns, settings.webpush
        if settings.sandboxed:
            ground.parts.append(Sandbox(settings.sandbox, clock))
            fcm, apns = sandboxed(settings.sandbox, fcm=fcm, apns=apns)
            webpush = sandboxed_browsers(settings.sandbox, webpush)
        providers = self._providers(fcm, apns, webpush)
        dispatcher = Dispatcher(
            store=self._push_store,
            providers=providers,
            feedback=Feedback(devices=self._device_store, clock=clock, metrics=metrics),
            clock=clock,
            metrics=metrics,
            options=settings.dispatcher,
            throttle=settings.throttle,
            pulse=self._sending,
            rates=self._rates(),
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
        )
        ground.workers += [upkeep, campaigns]
        if any(providers.values()):
            # Without one, pushes wait until they expire, and upkeep sees to that.
            ground.workers.append(dispatcher)

    def _rates(self) -> SharedRates | None:
        """Dispatchers that meet in Redis share what their credentials may be fed."""
        ground = self._ground
        if ground.redis is None:
            return None
        return RedisThrottle(
            ground.redis,
            rates=ground.settings.throttle.rates,
            ramp=ground.settings.throttle.ramp_seconds,
            node_id=ground.node_id,
            prefix=f"{ground.settings.redis.prefix}throttle",
            clock=ground.clock,
            metrics=ground.metrics,
        )

    def _providers(
        self, fcm: FcmOptions, apns: ApnsOptions, webpush: WebPushOptions
    ) -> Mapping[Urgency, Sequence[PushProvider]]:
        """FCM and browsers have connections for each class: a campaign does not hold up a message.

        APNs has one provider for all, which keeps campaigns apart by itself: Apple refuses
        who makes tokens of one key too often, and each provider makes its own.
        """
        clock = self._ground.clock
        apple = [ApnsProvider(apns, clock=clock)] if apns.key_file else []
        self._ground.parts += apple
        made: dict[Urgency, list[PushProvider]] = {}
        for urgency in Urgency:
            google = [FcmProvider(fcm, clock=clock)] if fcm.key_file else []
            browsers = [WebPushProvider(webpush, clock=clock)] if webpush.key_file else []
            self._ground.parts += [*google, *browsers]
            made[urgency] = [*google, *apple, *browsers]
        return made


def sandboxed(
    sandbox: SandboxOptions, *, fcm: FcmOptions, apns: ApnsOptions
) -> tuple[FcmOptions, ApnsOptions]:
    """The providers' options that lead to the emulator. Its ports must be fixed."""
    files = Files(Path(sandbox.directory))
    authority = str(files.authority)
    return (
        replace(
            fcm,
            key_file=str(files.service_account),
            endpoint=f"https://localhost:{sandbox.fcm_port}/v1/projects",
            ca_file=authority,
        ),
        replace(
            apns,
            key_file=str(files.apns_key),
            key_id=files.key_id,
            team_id=files.team_id,
            topic=files.topic,
            production=f"localhost:{sandbox.apns_port}",
            sandbox=f"localhost:{sandbox.apns_sandbox_port}",
            ca_file=authority,
        ),
    )


def sandboxed_browsers(sandbox: SandboxOptions, webpush: WebPushOptions) -> WebPushOptions:
    """Web Push's options that lead to the emulator, and to no browser's real service."""
    files = Files(Path(sandbox.directory))
    return replace(
        webpush,
        key_file=str(files.vapid_key),
        subject="mailto:sandbox@localhost",
        origins=(),
        own_service=f"https://localhost:{sandbox.webpush_port}",
        ca_file=str(files.authority),
    )


def make_vapid_key(path: Path) -> str:
    """Write a new key for Web Push; its public half. Raises FileExistsError, never overwrites."""
    return make_key(path)


def vapid_public_key(path: Path) -> str:
    """The public half of a key for Web Push. Raises ValueError or OSError when it is not one."""
    return Vapid(pem=path.read_bytes(), subject="", clock=SystemClock()).public_key
