"""What users want to be told, wired."""

from messaging.adapters.sql_mutes import SqlMutes
from messaging.adapters.sql_reading import SqlReading
from notifications.adapters.sql_preferences import SqlPreferences
from notifications.adapters.sql_threads import SqlThreads
from notifications.deciding.categories import Rulebook
from notifications.ports import DeviceStore, PushLedger
from notifications.preferences import explaining, routes
from notifications.preferences.explain import Explain
from notifications.preferences.preferences import Preferences
from notifications.preferences.ramadan import Ramadans
from notifications.preferences.voices import Voices
from server.wiring.ground import Ground


class Choices:
    """What decides about pushes, on any role."""

    def __init__(self, ground: Ground, *, devices: DeviceStore, ledger: PushLedger) -> None:
        store, clock = SqlPreferences(ground.database), ground.clock
        self.unread = SqlReading(ground.database, clock=clock)
        self.threads = SqlThreads(ground.database)
        self.rulebook = Rulebook(ground.settings.preferences)
        self.voices = Voices(
            preferences=store,
            ramadans=store,
            mutes=SqlMutes(ground.database),
            rulebook=self.rulebook,
        )
        self.preferences = Preferences(
            store=store, devices=devices, rulebook=self.rulebook, clock=clock
        )
        ground.operations += routes.operations(
            preferences=self.preferences, ramadans=Ramadans(store=store, clock=clock)
        )
        ground.operations += explaining.operations(
            Explain(
                voices=self.voices,
                devices=devices,
                ledger=ledger,
                threads=self.threads,
                interval=ground.settings.coalescing.interval,
                clock=clock,
            )
        )
