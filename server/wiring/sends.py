"""What servers ask to be pushed, wired."""

from datetime import timedelta

from kernel.workers import Pulse
from notifications.adapters.redis_send_limits import RedisSendLimits
from notifications.adapters.sql_census import SqlCensus
from notifications.adapters.sql_lists import SqlLists
from notifications.adapters.sql_reports import SqlReports
from notifications.adapters.sql_send_ledger import SqlSendLedger
from notifications.adapters.sql_sends import SqlSends
from notifications.device_pace import DevicePace
from notifications.ports import DeviceStore, PushLedger
from notifications.preferences.voices import Voices
from notifications.reports import routes as report_routes
from notifications.reports.reports import Reports
from notifications.reports.signing import ReportSigner
from notifications.sends import list_routes, routes
from notifications.sends.limits import LocalLimits, SendOptions
from notifications.sends.lists import Lists
from notifications.sends.ports import SendLimits
from notifications.sends.rehearsal import Rehearsal
from notifications.sends.sends import Sends, SendWorker
from notifications.templates.shelf import Shelf
from server.wiring.ground import Ground


class Sending:
    """Sends and lists, on any role."""

    def __init__(
        self,
        ground: Ground,
        *,
        devices: DeviceStore,
        pushes: PushLedger,
        shelf: Shelf,
        voices: Voices,
    ) -> None:
        self._ground = ground
        self._expanding = Pulse()
        """Beats when a send came in this process."""
        self._store = SqlSends(ground.database)
        lists = SqlLists(ground.database)
        self.sends = Sends(
            store=self._store,
            ledger=SqlSendLedger(ground.database),
            lists=lists,
            pushes=pushes,
            shelf=shelf,
            limits=self._limits(ground.settings.sends, name="sends"),
            clock=ground.clock,
            pulse=ground.relaying,
            expanding=self._expanding,
        )
        rehearsal = Rehearsal(
            store=self._store,
            lists=lists,
            devices=devices,
            census=SqlCensus(ground.database),
            shelf=shelf,
            voices=voices,
            clock=ground.clock,
        )
        ground.operations += [
            *routes.operations(sends=self.sends, rehearsal=rehearsal),
            *list_routes.operations(Lists(store=lists, clock=ground.clock)),
            *report_routes.operations(
                Reports(
                    store=SqlReports(ground.database),
                    signer=ReportSigner(ground.settings.credentials.keys),
                    clock=ground.clock,
                    metrics=ground.metrics,
                )
            ),
        ]

    def device_pace(self) -> DevicePace | None:
        """How much one device is sent through FCM, if there is an end to it."""
        per_minute = self._ground.settings.throttle.fcm_device_per_minute
        if not per_minute:
            return None
        limits = self._limits(SendOptions(user_per_minute=per_minute), name="devices")
        return DevicePace(limits, per_minute=per_minute, clock=self._ground.clock)

    def _limits(self, options: SendOptions, *, name: str) -> SendLimits:
        """Nodes that meet in Redis keep the limits together."""
        ground = self._ground
        if ground.redis is None:
            return LocalLimits(options, clock=ground.clock)
        prefix = f"{ground.settings.redis.prefix}{name}"
        return RedisSendLimits(ground.redis, options=options, prefix=prefix, clock=ground.clock)

    def relay(self) -> None:
        """Sends reach the users of their lists, and stop when they are cancelled."""
        ground = self._ground
        ground.workers.append(
            SendWorker(
                store=self._store,
                clock=ground.clock,
                pulse=self._expanding,
                handed=ground.relaying,
                kept=timedelta(days=ground.settings.upkeep.pushes_days),
            )
        )
