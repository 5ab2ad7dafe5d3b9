"""Calendars over HTTP: feeds as apps fetch them, cheaply, without a login and with nothing of it
in logs; and uploads as they are."""

import io
import logging
from dataclasses import replace

import httpx
import pytest

from kernel.clock import SystemClock
from server import logs
from server.app import create_app
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.tokens import TOKEN_OPTIONS, access_token

AMINA = {"authorization": f"Bearer {access_token('amina', now=SystemClock().now())}"}
WEDDING = {"title": "عرس أمينة", "zone": "Africa/Algiers", "day": "2027-06-20", "at": "20:00"}


@pytest.fixture
def burst() -> int:
    return 200


@pytest.fixture
async def http(sqlite_database_url: str, burst: int):
    plain = Settings()
    options = replace(
        plain.server, push="providers", requests_per_second=0.001, requests_burst=burst
    )
    database = replace(plain.database, url=sqlite_database_url)
    house = build(replace(plain, server=options, database=database, tokens=TOKEN_OPTIONS))
    transport = httpx.ASGITransport(create_app(house))
    async with (
        house.running(),
        httpx.AsyncClient(transport=transport, base_url="http://t") as asking,
    ):
        yield asking


@pytest.fixture
async def path(http):
    event = (await http.post("/v1/events", json=WEDDING, headers=AMINA)).json()
    body = {"event_id": event["id"]}
    return (await http.post("/v1/calendar-feeds", json=body, headers=AMINA)).json()["path"]


async def test_an_app_fetches_a_calendar_by_its_address_alone(http, path):
    answer = await http.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "SUMMARY:عرس أمينة" in answer.text
    assert "DTSTART;TZID=Africa/Algiers:20270620T200000" in answer.text


@pytest.mark.parametrize("asked", ["{}", "W/{}", '"x", {}', "*"])
async def test_who_has_it_already_is_told_so(http, path, asked):
    first = await http.get(path)

    again = await http.get(path, headers={"if-none-match": asked.format(first.headers["etag"])})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_who_has_an_older_one_is_given_the_new_one(http, path):
    first = await http.get(path)
    listed = (await http.get("/v1/events", headers=AMINA)).json()["events"]
    await http.patch(f"/v1/events/{listed[0]['id']}", json={"title": "Mariage"}, headers=AMINA)

    again = await http.get(path, headers={"if-none-match": first.headers["etag"]})

    assert again.status_code == 200
    assert "SUMMARY:Mariage" in again.text


async def test_one_may_ask_whether_it_changed_without_fetching_it(http, path):
    whole, head = await http.get(path), await http.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == whole.headers["etag"]
    assert "content-length" not in head.headers


async def test_a_revoked_address_and_one_that_never_was_are_not_told_apart(http, path):
    (feed,) = (await http.get("/v1/calendar-feeds", headers=AMINA)).json()["feeds"]
    assert set(feed) == {"id", "event_id", "tasks", "whose", "created_at"}

    await http.delete(f"/v1/calendar-feeds/{feed['id']}", headers=AMINA)
    gone, never = await http.get(path), await http.get("/v1/calendars/zaffa_cal_x.ics")

    assert gone.status_code == never.status_code == 404
    assert gone.json() == never.json()


async def test_no_log_line_has_the_address(http, path):
    written = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        logs.configure(format="json", level="debug", stream=written)
        for asked in (path, f"{path}/more", path.removesuffix(".ics")):
            await http.get(asked)
    finally:
        logging.captureWarnings(False)
        logging.getLogger().handlers[:], level = before
        logging.getLogger().setLevel(level)

    assert "/v1/calendars/[redacted key]" in written.getvalue()
    assert path.split("/")[-1].removesuffix(".ics") not in written.getvalue()


class TestWhoComesTooOften:
    @pytest.fixture
    def burst(self) -> int:
        return 5

    async def test_an_address_may_not_ask_without_end(self, http, path):
        answers = [await http.get(path) for _ in range(6)]

        assert [each.status_code for each in answers] == [200] * 5 + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1


async def test_the_document_says_what_is_given(http):
    paths = (await http.get("/v1/openapi.json")).json()["paths"]

    described = paths["/v1/calendars/{secret}.ics"]["get"]
    assert described["security"] == []
    assert list(described["responses"]["200"]["content"]) == ["text/calendar"]


CALENDAR = """\
BEGIN:VCALENDAR
BEGIN:VEVENT
UID:1@example.org
SUMMARY:القاعة
DTSTART:20270501T090000
END:VEVENT
END:VCALENDAR
"""
AS_IT_IS = {"content-type": "text/calendar; charset=utf-8", **AMINA}


@pytest.fixture
async def door(http):
    event = (await http.post("/v1/events", json=WEDDING, headers=AMINA)).json()
    return f"/v1/events/{event['id']}/import"


async def test_a_calendar_is_uploaded_as_it_is_or_within_json(http, door):
    seen = await http.post(f"{door}/preview", content=CALENDAR.encode(), headers=AS_IT_IS)
    done = await http.post(door, json={"calendar": CALENDAR}, headers=AMINA)
    again = await http.post(door, content=CALENDAR.encode(), headers=AS_IT_IS)

    assert (seen.status_code, done.status_code) == (200, 200)
    assert seen.json() == done.json()
    assert [each["title"] for each in done.json()["entries"]] == ["القاعة"]
    assert (done.json()["added"], again.json()["unchanged"]) == (1, 1)


@pytest.mark.parametrize(
    ("body", "query", "headers", "status"),
    [
        (b"\xff\xfe", "", AS_IT_IS, 400),
        (b"BEGIN:VCALENDAR", "?calendar=x", AS_IT_IS, 400),
        (b"BEGIN:VCALENDAR", "?event_id=x", AS_IT_IS, 400),
        (b"BEGIN:VCALENDAR", "", {"content-type": "text/plain", **AMINA}, 415),
        (b"x" * 600_000, "", AS_IT_IS, 400),
        (b"x" * 1_100_000, "", AS_IT_IS, 413),
        (b"", "", AS_IT_IS, 400),
    ],
)
async def test_what_is_no_calendar_is_refused(http, door, body, query, headers, status):
    answer = await http.post(f"{door}{query}", content=body, headers=headers)

    assert answer.status_code == status


async def test_what_comes_as_something_else_is_told_what_it_may_come_as(http, door):
    headers = {"content-type": "application/octet-stream", **AMINA}
    answer = await http.post(door, content=CALENDAR.encode(), headers=headers)

    assert answer.status_code == 415
    assert answer.json()["message"].endswith("application/json or text/calendar.")
