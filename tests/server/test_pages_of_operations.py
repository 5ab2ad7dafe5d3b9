"""Operations that browsers may ask as well: the same answer as a page, the key as a password."""

from base64 import b64encode
from dataclasses import replace

import httpx
import pytest

from kernel.identity import Scope
from server.app import create_app

BROWSER = {
    "accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "accept-language": "en;q=0.5, ar-DZ",
}


@pytest.fixture
async def http(house):
    found = next(each for each in house.operations if each.scope)
    shown = replace(
        found,
        name="shown",
        method="GET",
        path="/admin/v1/shown",
        page=lambda given, languages: f"<p lang={languages[0]}>{type(given).__name__}",
    )
    house.operations = [*house.operations, shown]
    transport = httpx.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://zaffa.test") as http:
        yield http


@pytest.fixture
async def key(house):
    _, secret = await house.api_keys.create("page", frozenset(Scope))
    return secret


def basic(password, name="anybody"):
    return {"authorization": "Basic " + b64encode(f"{name}:{password}".encode()).decode()}


async def test_a_browser_is_asked_for_a_password_and_shown_the_page(http, key):
    first = await http.get("/admin/v1/shown", headers=BROWSER)
    then = await http.get("/admin/v1/shown", headers={**BROWSER, **basic(key)})

    assert (first.status_code, first.headers["www-authenticate"][:5]) == (401, "Basic")
    assert (then.status_code, then.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert then.text.startswith("<p lang=ar>")
    assert "script" not in then.headers["content-security-policy"]
    assert then.headers["vary"] == "accept, accept-language"


async def test_a_program_gets_the_same_as_json(http, key):
    answer = await http.get("/admin/v1/shown", headers={"x-api-key": key})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize("given", ["Basic", "Basic !", "Basic bm90aGluZw==", "Basic /w=="])
async def test_a_password_that_is_none_is_refused(http, given):
    answer = await http.get("/admin/v1/shown", headers={**BROWSER, "authorization": given})

    assert answer.status_code == 401


async def test_what_a_browser_sends_by_itself_opens_pages_only(http, house, key):
    """Otherwise a stranger's page could act with it."""
    found = next(each for each in house.operations if each.scope and each.page is None)

    for headers in (basic(key), {**BROWSER, **basic(key)}):
        answer = await http.request(found.method, found.path, headers=headers)
        assert answer.status_code == 401
    assert (await http.get("/admin/v1/shown", headers=basic(key))).status_code == 401
