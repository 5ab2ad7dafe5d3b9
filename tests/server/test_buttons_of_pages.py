"""Buttons on pages of operators: a browser sends the key by itself, so only our pages may ask."""

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256

import httpx
import pytest

from kernel.identity import Scope
from server.app import create_app
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.tokens import TOKEN_OPTIONS

PAGE = "/admin/v1/reminders"
PAUSE = "/admin/v1/reminder-pauses/nag"
EVENT = "/admin/v1/events/0197f3a2-0000-7000-8000-000000000001"
HOST = "http://zaffa.test"
BROWSER = {"accept": "text/html,*/*;q=0.8", "accept-language": "ar"}

STRANGERS = [
    {},
    {"sec-fetch-site": "cross-site", "origin": "https://evil.test"},
    {"sec-fetch-site": "same-site", "origin": "http://other.zaffa.test"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "cross-site", "origin": HOST},
    {"origin": "https://evil.test"},
    {"origin": "http://zaffa.test.evil.test"},
    {"origin": "null"},
    {"origin": ""},
]


@pytest.fixture
def house(sqlite_database_url):
    plain = Settings()
    return build(
        replace(
            plain,
            server=replace(plain.server, push="providers"),
            database=replace(plain.database, url=sqlite_database_url),
            tokens=TOKEN_OPTIONS,
        )
    )


@pytest.fixture
async def http(house):
    transport = httpx.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with house.running(), httpx.AsyncClient(transport=transport, base_url=HOST) as http:
        yield http


async def basic(house, *scopes):
    _, secret = await house.api_keys.create("page", frozenset(scopes))
    return {"authorization": "Basic " + b64encode(f"me:{secret}".encode()).decode()}


async def paused(http, headers):
    seen = await http.get(PAGE, headers={**BROWSER, **headers})
    return 'data-method="DELETE"' in seen.text


async def test_a_button_of_our_page_does_what_it_says(http, house):
    key = await basic(house, Scope.REMINDERS)

    for own in ({"sec-fetch-site": "same-origin"}, {"origin": HOST}):
        await http.put(PAUSE, headers={**key, **own})
        assert await paused(http, key)
        await http.delete(PAUSE, headers={**key, **own})
        assert not await paused(http, key)


async def test_a_page_of_another_origin_changes_nothing(http, house):
    key = await basic(house, Scope.REMINDERS)

    for stranger in STRANGERS:
        for method, path in (("PUT", PAUSE), ("POST", f"{EVENT}/replan"), ("DELETE", PAUSE)):
            answer = await http.request(method, path, headers={**BROWSER, **key, **stranger})
            assert answer.status_code == 401

    assert not await paused(http, key)


async def test_our_page_asks_for_nothing_but_what_its_buttons_are_for(http, house):
    key = await basic(house, *Scope)
    buttons = {each.name for each in house.operations if each.by_page}

    for path in ("/admin/v1/reminder-plans", "/admin/v1/events", "/admin/v1/campaigns"):
        answer = await http.post(path, headers={**key, "sec-fetch-site": "same-origin"})
        assert answer.status_code == 401
    assert buttons == {f"reminders.{each}" for each in ("pause", "resume", "replan", "revive")}


async def test_who_may_not_look_after_reminders_sees_nothing_and_does_nothing(http, house):
    key = await basic(house, Scope.USERS)

    seen = await http.get(PAGE, headers={**BROWSER, **key})
    done = await http.put(PAUSE, headers={**key, "sec-fetch-site": "same-origin"})

    assert (seen.status_code, done.status_code) == (403, 403)
    assert "reminder-pauses" not in seen.text


async def test_a_browser_is_asked_for_the_key_for_the_page_and_for_its_buttons(http):
    seen = await http.get(PAGE, headers=BROWSER)
    done = await http.put(PAUSE, headers={"sec-fetch-site": "same-origin"})

    for answer in (seen, done):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")


async def test_the_one_script_of_the_page_may_run_and_no_other(http, house):
    seen = await http.get(PAGE, headers={**BROWSER, **await basic(house, Scope.REMINDERS)})

    policy = dict(
        each.strip().partition(" ")[::2]
        for each in seen.headers["content-security-policy"].split(";")
    )
    (script,) = re.findall("<script>(.*?)</script>", seen.text, re.DOTALL)
    digest = policy["script-src"].removeprefix("'sha256-").removesuffix("'")
    assert b64decode(digest) == sha256(script.encode()).digest()
    assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")
    assert (policy["form-action"], policy["frame-ancestors"]) == ("'none'", "'none'")
    assert not re.findall(r"""\son\w+=|javascript:|src=""", seen.text)
    assert 'dir="rtl"' in seen.text
