"""Seeds a database with people who know each other. Seeding twice changes nothing."""

import hashlib
import json
from collections.abc import Sequence
from datetime import time, timedelta
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from kernel.clock import SystemClock
from kernel.identity import Principal
from kernel.ids import UserId
from messaging.types import Conversation, ConversationKind
from notifications.deciding.categories import MARKETING
from notifications.deciding.types import QuietHours
from notifications.preferences.preferences import Wishes
from notifications.types import AddressKind, Environment, Platform, Registration
from reminders.types import CalendarLead, FromEvent, Offset, Role
from server.house import Hints
from server.options import ServerOptions
from server.roles import ALL
from server.wiring.calendar import Calendar
from server.wiring.chat import Chat
from server.wiring.ground import Ground
from server.wiring.groups import Settings
from server.wiring.pushes import Pushes

ZONE = "Africa/Algiers"
GROUP = "زفاف لينا وكريم"
WEDDING = "Mariage de Lina et Karim"
WEDDING_IN = timedelta(days=30)
_DAY_BEFORE_AT_NINE = CalendarLead(before=Offset(days=1), at=time(9, 0))


class Guest(NamedTuple):
    """One of the demo's people, and the phone that pushes go to."""

    user_id: UserId
    locale: str
    platform: Platform


GUESTS = (
    Guest(UserId("amina"), "ar-DZ", Platform.ANDROID),
    Guest(UserId("karim"), "fr-DZ", Platform.IOS),
    Guest(UserId("lina"), "fr-DZ", Platform.ANDROID),
    Guest(UserId("yacine"), "en-GB", Platform.IOS),
)
AMINA, KARIM, LINA, YACINE = (each.user_id for each in GUESTS)

_GROUP_TALK = (
    (LINA, "السلام عليكم، اليوم نختار قاعة الحفل."),
    (AMINA, "وعليكم السلام! قاعة «الياسمين» جميلة وقريبة."),
    (KARIM, "D’accord, je les appelle demain matin."),
    (YACINE, "Great. I’ll take care of the music."),
)
_DIRECT_TALK = (
    (AMINA, "مساء الخير كريم، هل حجزت القاعة؟"),
    (KARIM, "Oui, c’est réservé pour 300 invités."),
)
_TASKS = (
    ("حجز القاعة", AMINA, Offset(days=-14)),
    ("Envoyer les invitations", KARIM, Offset(days=-10)),
    ("Confirm the band", YACINE, Offset(days=-2)),
)


async def seed(settings: Settings) -> None:
    """Put the demo's people, talks, devices and wedding into the database."""
    ground = Ground(settings, ALL)
    chat, pushes = Chat(ground), Pushes(ground)
    calendar = Calendar(ground, standing=chat.users.standing, talks=chat.talks)
    try:
        await _talks(chat)
        await _devices(pushes)
        await _agreements(pushes)
        await _wedding(calendar)
    finally:
        for part in reversed(ground.parts):
            await part.close()
        await ground.database.close()


def hints_of(settings: Settings, *, program: str = "zaffa") -> Hints:
    """How to meet two of them, and where their pushes arrive. `program` is how to call us."""
    port = settings.server.port
    there = "" if port == ServerOptions().port else f" --url ws://127.0.0.1:{port}"
    page = f"http://{settings.sandbox.host}:{settings.sandbox.page_port}/"
    return Hints(
        chats=[
            (user, f"{program} chat --user {user} --with {other}{there}") for user, other in _PAIR
        ],
        pushes=f"{program} sandbox follow    (or {page})" if settings.sandboxed else "",
    )


_PAIR = ((AMINA, KARIM), (KARIM, AMINA))


async def _talks(chat: Chat) -> None:
    direct = await chat.conversations.open_direct(AMINA, other_id=KARIM)
    await _say(chat, direct, _DIRECT_TALK)
    mine = await chat.conversations.of_user(LINA)
    group = next((each for each in mine.items if each.title == GROUP), None)
    if group is None:
        group = await chat.conversations.open(
            LINA,
            kind=ConversationKind.GROUP,
            title=GROUP,
            user_ids=[each.user_id for each in GUESTS],
        )
    await _say(chat, group, _GROUP_TALK)


async def _say(chat: Chat, conversation: Conversation, talk: Sequence[tuple[UserId, str]]) -> None:
    for number, (user_id, text) in enumerate(talk):
        await chat.messages.send(
            user_id,
            conversation_id=conversation.id,
            body=json.dumps({"text": text}, ensure_ascii=False).encode(),
            idempotency_key=f"demo-{number}",
        )


async def _devices(pushes: Pushes) -> None:
    for guest in GUESTS:
        apple = guest.platform is Platform.IOS
        digest = hashlib.sha256(guest.user_id.encode()).hexdigest()
        await pushes.devices.register(
            Principal(user_id=guest.user_id),
            Registration(
                installation_id=f"demo-{guest.user_id}",
                address_kind=AddressKind.APNS if apple else AddressKind.FCM_TOKEN,
                address=digest if apple else f"demo-{guest.user_id}:APA91b{digest * 2}",
                environment=Environment.PRODUCTION,
                platform=guest.platform,
                locale=guest.locale,
                time_zone=ZONE,
                app_version="1.0.0",
            ),
        )


async def _agreements(pushes: Pushes) -> None:
    """They have agreed to marketing, and the demo may be run at any hour of the day."""
    for guest in GUESTS:
        principal = Principal(user_id=guest.user_id)
        if (await pushes.choices.preferences.get(principal)).consents:
            continue
        await pushes.choices.preferences.consent(
            principal, MARKETING, given=True, text_version="demo", source="demo"
        )
        awake = Wishes(QuietHours(windows=()))
        await pushes.choices.preferences.be_quiet(principal, awake)


async def _wedding(calendar: Calendar) -> None:
    host = Principal(user_id=LINA)
    for guest in GUESTS:
        await calendar.people.put(Principal(user_id=guest.user_id), zone=ZONE, locale=guest.locale)
    sheet = await calendar.events.create(
        host,
        title=WEDDING,
        zone=ZONE,
        day=(SystemClock().now() + WEDDING_IN).date(),
        at=time(20, 0),
        event_id=_named("wedding"),
    )
    for guest in GUESTS:
        if guest.user_id != LINA:
            await calendar.events.put_member(
                host, sheet.event.id, user_id=guest.user_id, role=Role.COLLABORATOR
            )
    for number, (title, assignee, offset) in enumerate(_TASKS):
        await calendar.tasks.create(
            host,
            sheet.event.id,
            title=title,
            due=FromEvent(offset),
            assignee_id=assignee,
            task_id=_named(f"task-{number}"),
        )
    await calendar.rules.put(
        host,
        sheet.event.id,
        rule_id=_named("day-before"),
        task_id=None,
        user_id=None,
        lead=_DAY_BEFORE_AT_NINE,
        exact=True,
    )


def _named(what: str) -> UUID:
    """The same id each time, so that seeding again finds what it made."""
    return uuid5(NAMESPACE_URL, f"https://zaffa.example/demo/{what}")
