"""The page on which guests say that they want to be asked no more."""

from dataclasses import replace
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, DatabaseOptions
from kernel.ids import UserId
from notifications.apps.sealing import make_key
from reminders.guest import EVERYWHERE
from reminders.opting import OptOutSigner
from server.app import create_app
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.tokens import TOKEN_OPTIONS

BROWSER = {"accept": "text/html,*/*;q=0.8"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
WEDDING = UUID("0197f3a2-0000-7000-8000-000000000001")
KEY = make_key("test")


@pytest.fixture
def link() -> str:
    return f"/v1/opt-outs/{OptOutSigner([KEY]).token(UserId('djamel'), WEDDING)}"


@pytest.fixture
async def http(sqlite_database_url: str):
    plain = Settings()
    house = build(
        replace(
            plain,
            server=replace(plain.server, push="providers"),
            database=replace(plain.database, url=sqlite_database_url),
            tokens=TOKEN_OPTIONS,
            credentials=replace(plain.credentials, keys=(KEY,)),
        )
    )
    transport = httpx.ASGITransport(create_app(house))
    async with (
        house.running(),
        httpx.AsyncClient(transport=transport, base_url="http://t") as asking,
    ):
        yield asking


async def opted_out(url: str) -> list[tuple[str, UUID]]:
    database = Database(DatabaseOptions(url=url))
    try:
        async with database.reading() as connection:
            rows = await connection.execute(
                sa.text("SELECT user_id, event_id FROM guest_opt_outs ORDER BY event_id")
            )
            return [(row.user_id, UUID(str(row.event_id))) for row in rows]
    finally:
        await database.close()


async def test_looking_at_the_page_changes_nothing(http, link, sqlite_database_url):
    page = await http.get(link, headers=BROWSER)

    assert page.status_code == 200
    assert page.text.count("<form method") == 3
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert await opted_out(sqlite_database_url) == []


async def test_the_page_begins_in_the_language_of_its_reader(http, link):
    french = await http.get(link, headers={**BROWSER, "Accept-Language": "fr-DZ,fr;q=0.9"})
    arabic = await http.get(link, headers=BROWSER)

    assert french.text.startswith('<!doctype html><html lang="fr">')
    assert french.text.index("Rappels") < french.text.index("تذكيرات")
    assert arabic.text.startswith('<!doctype html><html lang="ar">')


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"params": {"everywhere": "false"}, "headers": {**BROWSER, **FORM}}, WEDDING),
        ({"params": {"everywhere": "true"}, "headers": {**BROWSER, **FORM}}, EVERYWHERE),
        ({"content": "List-Unsubscribe=One-Click", "headers": FORM}, WEDDING),
        ({"json": {"everywhere": True}}, EVERYWHERE),
        ({}, WEDDING),
    ],
    ids=["this button", "all button", "mail program", "json", "empty"],
)
async def test_a_button_or_a_mail_program_is_enough(http, link, sqlite_database_url, sent, place):
    answers = [await http.post(link, **sent) for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 200]
    assert await opted_out(sqlite_database_url) == [("djamel", place)]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_forged_link_leads_nowhere(http, link, sqlite_database_url, method):
    answer = await http.request(method, f"{link[:-2]}AA")

    assert (answer.status_code, answer.json()["code"]) == (404, "guest.opt_out_invalid")
    assert await opted_out(sqlite_database_url) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_browser_with_a_damaged_link_is_told_so_in_words(http, link, method):
    page = await http.request(method, link[:-2], headers={**BROWSER, "Accept-Language": "ar"})

    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert page.text.startswith('<!doctype html><html lang="ar">')
    assert "هذا الرابط غير كامل" in page.text
    assert "<form" not in page.text
