"""What anybody may ask: without credentials, and not without end."""

from dataclasses import replace

import httpx
import pytest

from server.app import create_app
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.tokens import TOKEN_OPTIONS

REPORT = {"reports": [{"report_id": "x", "event": "shown"}]}


@pytest.fixture
async def http(sqlite_database_url: str):
    plain = Settings()
    options = replace(plain.server, push="providers", requests_per_second=0.001, requests_burst=2)
    house = build(
        replace(
            plain,
            server=options,
            database=replace(plain.database, url=sqlite_database_url),
            tokens=TOKEN_OPTIONS,
        )
    )
    transport = httpx.ASGITransport(create_app(house))
    async with (
        house.running(),
        httpx.AsyncClient(transport=transport, base_url="http://t") as asking,
    ):
        yield asking


async def test_a_report_needs_no_login_and_an_address_may_not_report_without_end(http):
    answers = [await http.post("/v1/reports", json=REPORT) for _ in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[0].json() == {"taken": 0}
    document = (await http.get("/v1/openapi.json")).json()
    assert document["paths"]["/v1/reports"]["post"]["security"] == []


async def test_a_wrong_login_changes_nothing_where_none_is_needed(http):
    answer = await http.post("/v1/reports", json=REPORT, headers={"authorization": "Bearer x"})

    assert answer.status_code == 200


async def test_a_button_of_a_reminder_needs_no_login_but_its_token(http):
    tapped = {
        "token": "forged",
        "action": "done",
        "action_id": "0197f3a2-0000-7000-8000-000000000001",
    }

    answer = await http.post("/v1/firings/abc/actions", json=tapped)

    assert (answer.status_code, answer.json()["code"]) == (403, "action.token_invalid")
    document = (await http.get("/v1/openapi.json")).json()
    assert document["paths"]["/v1/firings/{firing}/actions"]["post"]["security"] == []
