"""Valid notification values and a small house of stores, so that a test says what it is about."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.identity import Principal, Scope
from kernel.ids import UserId, new_id
from kernel.metrics import Metrics
from kernel.notices import Notice, Urgency, entry_of
from kernel.outbox import Claimed
from kernel.workers import Pulse
from messaging.adapters.sql_mutes import SqlMutes
from messaging.adapters.sql_reading import SqlReading
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.push_settling import ATTEMPTS
from notifications.adapters.sql_apps import APPS
from notifications.adapters.sql_campaigns import SqlCampaigns
from notifications.adapters.sql_devices import SqlDevices
from notifications.adapters.sql_ledger import SqlLedger
from notifications.adapters.sql_preferences import PREFERENCES, SqlPreferences
from notifications.adapters.sql_pushes import SqlPushes
from notifications.adapters.sql_templates import SqlTemplates
from notifications.app_pace import AppPace
from notifications.braking import Brakes
from notifications.coalescing.options import CoalescingOptions
from notifications.deciding.types import Consent, QuietHours, UserPreferences
from notifications.device_pace import DevicePace
from notifications.dispatcher import Dispatcher, DispatcherOptions
from notifications.feedback import Feedback
from notifications.intake import Intake
from notifications.ports import PushProvider, SharedRates
from notifications.preferences.voices import Voices
from notifications.pushes import HeldPush, Notification, Push, PushState
from notifications.templates.shelf import Shelf, TemplateOptions
from notifications.throttle import ThrottleOptions
from notifications.types import (
    AddressKind,
    Content,
    Device,
    Environment,
    Platform,
    Registration,
    Route,
)
from notifications.upkeep import Upkeep, UpkeepOptions
from reminders.adapters.sql_alarms import SqlAlarmStore
from tests.support.clock import START, ManualClock

AMINA, KARIM, LINA = map(UserId, ("amina", "karim", "lina"))


def user(user_id: UserId) -> Principal:
    return Principal(user_id=user_id)


def server(*scopes: Scope) -> Principal:
    """A server with a key that has these scopes."""
    return Principal(key_id=UUID(int=7), scopes=frozenset(scopes))


def registration(number: int = 1, **changes: object) -> Registration:
    """A phone's registration; phones of different numbers have nothing in common."""
    sound = Registration(
        installation_id=f"installation-{number}",
        address_kind=AddressKind.FCM_TOKEN,
        address=f"token-{number}",
        environment=Environment.PRODUCTION,
        platform=Platform.ANDROID,
        locale="fr-DZ",
        time_zone="Africa/Algiers",
        app_version="1.0",
    )
    return replace(sound, **changes)  # type: ignore[arg-type]


def apns(number: int = 1, **changes: object) -> Registration:
    return registration(
        number,
        **{
            "address_kind": AddressKind.APNS,
            "address": f"{number:064x}",
            "platform": Platform.IOS,
            **changes,
        },
    )


def notice(*user_ids: UserId, key: str = "n1", **changes: object) -> Notice:
    """An announcement; each key is a notice of its own."""
    words: dict[str, object] = {
        "user_ids": user_ids,
        "template": "announcement",
        "category": "chat",
        "urgency": Urgency.INTERACTIVE,
        "dedupe_key": key,
        "expires_at": START + timedelta(hours=1),
        "variables": {"title": "Zaffa", "body": "سلام"},
    }
    return Notice(**{**words, **changes})  # type: ignore[arg-type]


def claimed(*notices: Notice) -> list[Claimed]:
    """The outbox entries that carry notices, as the relay hands them over."""
    return [
        Claimed(
            id=number,
            kind="notice",
            payload=entry_of(each).payload,
            attempts=1,
            created_at=START,
            fence=1,
        )
        for number, each in enumerate(notices, start=1)
    ]


def held(**changes: object) -> HeldPush:
    """A push in its first attempt."""
    push = HeldPush(
        id=uuid4(),
        number=1,
        route=Route.FCM,
        urgency=Urgency.INTERACTIVE,
        device_id=uuid4(),
        generation=1,
        fence=1,
        started_at=START,
        first_tried_at=START,
        expires_at=START + timedelta(hours=1),
        unsent=0,
        ambiguous=0,
    )
    return replace(push, **changes)  # type: ignore[arg-type]


def planned(
    device: Device,
    *,
    urgency: Urgency = Urgency.INTERACTIVE,
    now: datetime = START,
    expires_at: datetime = START + timedelta(hours=1),
) -> tuple[Notification, Push]:
    """A notification for one device, with its push."""
    notification = Notification(
        id=new_id(now),
        user_id=device.user_id,
        template="announcement",
        category="chat",
        urgency=urgency,
        created_at=now,
        expires_at=expires_at,
    )
    push = Push(
        id=new_id(now),
        notification_id=notification.id,
        user_id=device.user_id,
        device_id=device.id,
        route=device.route,
        urgency=urgency,
        content=Content(title="Zaffa", body="سلام"),
        collapse_key="c",
        created_at=now,
        expires_at=expires_at,
        app_id=device.app_id,
    )
    return notification, push


async def agree(
    database: Database, user_ids: Sequence[UserId], *, now: datetime, category: str = "marketing"
) -> None:
    """Let users who have said nothing yet agree to a category, to be told at any hour."""
    said = UserPreferences(
        consents={category: Consent(True, "2026-01", now)}, quiet=QuietHours(windows=())
    )
    choices = msgspec.json.encode(said).decode()
    async with database.transaction() as connection:
        await connection.execute(
            database.insert_new(PREFERENCES, on=["user_id"]),
            [{"user_id": each, "choices": choices, "changed_at": now} for each in user_ids],
        )


@dataclass
class Room:
    """The notifications of one database: stores, and what works on them."""

    database: Database
    clock: ManualClock
    metrics: Metrics
    pulse: Pulse = field(default_factory=Pulse)
    generous: ThrottleOptions = field(
        default_factory=lambda: ThrottleOptions(fcm_per_second=1e6, apns_per_second=1e6)
    )

    def __post_init__(self) -> None:
        self.devices = SqlDevices(self.database)
        self.pushes = SqlPushes(self.database)
        self.ledger = SqlLedger(self.database)
        self.campaigns = SqlCampaigns(self.database)
        self.templates = SqlTemplates(self.database)
        self.shelf = Shelf(store=self.templates, clock=self.clock, options=TemplateOptions())
        self.preferences = SqlPreferences(self.database)
        self.voices = Voices(
            preferences=self.preferences,
            ramadans=self.preferences,
            mutes=SqlMutes(self.database),
        )
        self.intake = Intake(
            devices=self.devices,
            pushes=self.pushes,
            shelf=self.shelf,
            voices=self.voices,
            unread=SqlReading(self.database, clock=self.clock),
            alarms=SqlAlarmStore(self.database, self.clock),
            coalescing=CoalescingOptions(),
            clock=self.clock,
            metrics=self.metrics,
            pulse=self.pulse,
        )
        self.feedback = Feedback(devices=self.devices, clock=self.clock, metrics=self.metrics)
        self.upkeep = Upkeep(
            store=self.pushes,
            ledger=self.ledger,
            devices=self.devices,
            clock=self.clock,
            metrics=self.metrics,
            options=UpkeepOptions(),
        )

    def dispatcher(
        self,
        *providers: PushProvider,
        rates: SharedRates | None = None,
        brakes: Brakes | None = None,
        pace: AppPace | None = None,
        device_pace: DevicePace | None = None,
        **options: float,
    ) -> Dispatcher:
        return Dispatcher(
            store=self.pushes,
            providers=dict.fromkeys(Urgency, providers),
            feedback=self.feedback,
            clock=self.clock,
            metrics=Metrics(),
            options=DispatcherOptions(**options),  # type: ignore[arg-type]
            throttle=self.generous,
            pulse=self.pulse,
            rates=rates,
            brakes=brakes,
            pace=pace,
            device_pace=device_pace,
        )

    async def register(self, user_id: UserId, told: Registration, *, agrees: bool = True) -> Device:
        """A device; unless said otherwise its user has agreed to marketing."""
        if agrees:
            await agree(self.database, [user_id], now=self.clock.now())
        return await self.devices.register(user_id, told, now=self.clock.now(), limit=25)

    async def phone_of_app(self, app_id: str, number: int, **changes: object) -> Device:
        """Amina's phone in an app that is made for it."""
        async with self.database.transaction() as connection:
            row = {"id": app_id, "name": app_id, "created_at": self.clock.now()}
            await connection.execute(APPS.insert(), row)
        return await self.register(AMINA, registration(number, app_id=app_id, **changes))

    async def remove_app(self, app_id: str) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(APPS.delete().where(APPS.c.id == app_id))

    async def phones(self, number: int, **changes: object) -> list[Device]:
        """That many users with one phone each."""
        return [
            await self.register(UserId(f"user-{each}"), registration(each, **changes))
            for each in range(number)
        ]

    async def tell(self, *notices: Notice) -> None:
        await self.intake.handle(claimed(*notices))

    async def device(self, device_id: UUID, user_id: UserId) -> Device | None:
        found = (await self.devices.of_users([user_id])).get(user_id, ())
        return next((each for each in found if each.id == device_id), None)

    async def states(self) -> dict[PushState, int]:
        """How many pushes are in each state."""
        counting = sa.select(PUSHES.c.state, sa.func.count()).group_by(PUSHES.c.state)
        async with self.database.reading() as connection:
            return {PushState(state): n for state, n in await connection.execute(counting)}

    async def attempts(self) -> list[tuple[int, str, str]]:
        """Number, verdict and reason of every settled attempt, in order."""
        columns = (ATTEMPTS.c.number, ATTEMPTS.c.verdict, ATTEMPTS.c.reason)
        async with self.database.reading() as connection:
            rows = await connection.execute(sa.select(*columns).order_by(*columns))
            return [(row.number, row.verdict, row.reason) for row in rows]
