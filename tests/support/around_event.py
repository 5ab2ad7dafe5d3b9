"""Everybody around an event, asking a house's API: members of each role, guests, and others."""

import json
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import httpx

from kernel.adapters.database import Database, DatabaseOptions
from kernel.identity import Scope
from kernel.ids import UserId
from kernel.operations import AnyOperation
from reminders.action import LIFETIME, ActionGrant, ActionSigner
from reminders.adapters.sql_calendar import SqlCalendarStore
from reminders.adapters.sql_cards import SqlCardStore
from reminders.days import UNDO, Anchor, Moved
from reminders.guest import Guest, guest_id
from reminders.identity import collapse_key
from reminders.opting import OptOutSigner
from reminders.types import Role
from server.app import create_app
from server.house import House
from server.roles import ServerRole
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.factories_reminders import LONG_AGO, day_before, event, member, rule, task
from tests.support.tokens import TOKEN_OPTIONS, access_token

MEMBERS = {
    UserId("owner"): Role.OWNER,
    UserId("collaborator"): Role.COLLABORATOR,
    UserId("vendor"): Role.VENDOR,
    UserId("guest"): Role.GUEST,
}
WITNESS = UserId("witness")
"""Another guest, who asks nothing and may be put out."""

INVITED, STRANGER = UserId("invited"), UserId("stranger")
OPERATOR, OTHER_SERVER, NOBODY = "operator", "other server", "nobody"

LEAST_FIRST = (NOBODY, OTHER_SERVER, STRANGER, INVITED, *reversed(MEMBERS), OPERATOR)
"""Who asks, from who may least to who may most."""

KEYS = (f"k:{'A' * 43}",)

CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//
BEGIN:VEVENT
UID:a
DTSTART;VALUE=DATE:20260301
SUMMARY:Essayage
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


@dataclass(frozen=True)
class Around:
    """A house, whose API people ask in process: nothing but sockets is left out."""

    house: House
    http: httpx.AsyncClient
    keys: Mapping[str, str]
    conversation_id: str
    device_id: str
    calendar: SqlCalendarStore
    cards: SqlCardStore

    @property
    def operations(self) -> Sequence[AnyOperation]:
        """All that reminders offer, whoever wired it in."""
        return [each for each in self.house.operations if is_ours(each)]

    async def names(self, operation: AnyOperation) -> dict[str, Any]:
        """A new event with everybody in it, and what all that may be asked about is called."""
        now = self.house.clock.now()
        moved = Moved(None, None, "Africa/Algiers", now + UNDO)
        of = replace(event(), anchors=(Anchor("henna", days=-1),), moved=moved)
        about = task(of)
        ruling = rule(of, day_before(), about=about)
        people = [member(of, user, role) for user, role in MEMBERS.items()]
        people.append(member(of, WITNESS, Role.GUEST))
        invited = Guest(guest_id(of.id, INVITED, "main"), of.id, INVITED, "main", LONG_AGO)
        await self.calendar.create(of, people[0])
        await self.calendar.change(
            of.id, lambda _: [*people[1:], about, ruling, invited], now=now, task_id=about.id
        )
        await self.cards.link(of.id, UUID(self.conversation_id), now=now)
        return {
            "event_id": str(of.id),
            "task_id": str(about.id),
            "rule_id": str(ruling.id),
            "device_id": self.device_id,
            "conversation_id": self.conversation_id,
            "code": "henna",
            "part": "main",
            "until": (now + timedelta(days=2)).isoformat(),
            **self._proofs(of.id, about.id),
            **(await self._feed(of.id) if operation.name.startswith("feeds.") else {}),
        }

    def _proofs(self, event_id: UUID, task_id: UUID) -> dict[str, str]:
        """What proves enough by itself: of the owner's reminder, and of the invitation."""
        now = self.house.clock.now()
        firing = uuid.uuid4().bytes
        until = now + LIFETIME
        grant = ActionGrant(firing, UserId("owner"), event_id, task_id, now.date(), now, until)
        return {
            "firing": collapse_key(firing),
            "action_token": ActionSigner(KEYS).token(grant),
            "opt_out_token": OptOutSigner(KEYS).token(INVITED, event_id),
        }

    async def _feed(self, event_id: UUID) -> dict[str, str]:
        """A calendar feed of the owner's, and its secret."""
        headers = self._shown("owner")
        body = {"event_id": str(event_id)}
        feed = await self.http.post("/v1/calendar-feeds", json=body, headers=headers)
        issued = feed.raise_for_status().json()
        secret = issued["path"].rpartition("/")[2].removesuffix(".ics")
        return {"feed_id": issued["id"], "secret": secret}

    async def ask(self, who: str, operation: AnyOperation, **given: Any) -> httpx.Response:
        """Ask one operation: what its path does not take is the query or the body."""
        path = operation.path
        for name in list(given):
            if f"{{{name}}}" in path:
                text = quote(str(given.pop(name)), safe="", errors="replace")
                path = path.replace(f"{{{name}}}", text)
        headers = self._shown(who)
        if operation.method in ("GET", "DELETE"):
            query = urlencode(given, errors="replace")
            return await self.http.request(operation.method, f"{path}?{query}", headers=headers)
        headers["content-type"] = "application/json"
        body = json.dumps(given)
        return await self.http.request(operation.method, path, content=body, headers=headers)

    def _shown(self, who: str) -> dict[str, str]:
        """What somebody shows at the door."""
        if who == NOBODY:
            return {}
        if who in self.keys:
            return {"x-api-key": self.keys[who]}
        now = self.house.clock.now()
        return {"authorization": f"Bearer {access_token(who, now=now)}"}


def is_ours(operation: AnyOperation) -> bool:
    """Whether reminders offer the operation."""
    return any(
        each.__module__.startswith("reminders.") for each in (operation.takes, operation.gives)
    )


@asynccontextmanager
async def around(database_url: str) -> AsyncIterator[Around]:
    """Everybody at a house on this database, which is migrated."""
    plain = Settings()
    settings = replace(
        plain,
        server=replace(
            plain.server,
            push="providers",
            requests_burst=1_000_000,
            failures_burst=1_000_000,
        ),
        database=DatabaseOptions(url=database_url, sqlite_synchronous="NORMAL"),
        tokens=TOKEN_OPTIONS,
        credentials=replace(plain.credentials, keys=KEYS),
    )
    house = build(settings, roles=frozenset({ServerRole.GATEWAY}))
    database = Database(settings.database)
    transport = httpx.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with (
        house.running(),
        httpx.AsyncClient(transport=transport, base_url="http://zaffa.test") as http,
    ):
        keys = {
            name: (await house.api_keys.create(name, frozenset({scope})))[1]
            for name, scope in ((OPERATOR, Scope.REMINDERS), (OTHER_SERVER, Scope.USERS))
        }
        now = house.clock.now()
        headers = {"authorization": f"Bearer {access_token('owner', now=now)}"}
        body = {"kind": "group", "user_ids": [each for each in MEMBERS if each != "owner"]}
        talk = await http.post("/v1/conversations", json=body, headers=headers)
        phone = {
            "installation_id": uuid.uuid4().hex,
            "address_kind": "fcm_token",
            "address": uuid.uuid4().hex,
            "platform": "android",
            "locale": "fr-DZ",
            "time_zone": "Africa/Algiers",
        }
        for user in (*MEMBERS, INVITED, STRANGER):
            profile = await http.put(
                f"/admin/v1/profiles/{user}",
                json={"zone": "Africa/Algiers", "locale": "fr-DZ"},
                headers={"x-api-key": keys[OPERATOR]},
            )
            profile.raise_for_status()
        device = await http.post("/v1/devices", json=phone, headers=headers)
        yield Around(
            house,
            http,
            keys,
            talk.raise_for_status().json()["id"],
            device.raise_for_status().json()["id"],
            SqlCalendarStore(database),
            SqlCardStore(database),
        )
    await database.close()
