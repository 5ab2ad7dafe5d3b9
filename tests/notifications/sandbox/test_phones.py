"""What devices show that were away, over the page's API and real adapters."""

import aiohttp
import pytest

from notifications.adapters.apns import ApnsProvider
from notifications.types import AddressKind, Content
from tests.support.sandbox import (
    APNS_ADDRESS,
    apns_options,
    attempt,
    fcm_options,
    open_apns,
    open_fcm,
    open_webpush,
    webpush_options,
)


@pytest.fixture
async def page(sandbox):
    async with aiohttp.ClientSession(base_url=sandbox.page_url) as session:
        yield session


@pytest.fixture
def switch(page, clock):
    async def to(address: str, *, online: bool) -> None:
        clock.move(seconds=1)
        async with page.post("phones", json={"address": address, "online": online}) as answer:
            assert answer.status == 204

    return to


@pytest.fixture
def screen(page):
    async def of(address: str) -> list[str]:
        async with page.get("phones", params={"address": address}) as answer:
            return [each["title"] for each in (await answer.json())["shown"]]

    return of


async def send(provider, clock, kind, titles, *, address="", keys=None, now_or_never=False):
    """One after the other, since the order decides."""
    for number, title in enumerate(titles):
        clock.move(seconds=1)
        content = Content(title, "b", now_or_never=now_or_never)
        key = keys[number] if keys else f"key-{title}"
        await provider.send(
            [attempt(kind, now=clock.now(), address=address, content=content, collapse_key=key)]
        )


@pytest.fixture
async def apple(sandbox, clock):
    async with open_apns(apns_options(sandbox), clock=clock) as opened:
        yield opened


async def test_apns_keeps_the_last_push_for_a_phone_that_is_away(
    apple: ApnsProvider, clock, switch, screen
) -> None:
    await send(apple, clock, AddressKind.APNS, ["before"])
    await switch(APNS_ADDRESS, online=False)
    await send(apple, clock, AddressKind.APNS, ["one", "two", "three"])
    away = await screen(APNS_ADDRESS)
    await switch(APNS_ADDRESS, online=True)

    assert away == ["before"]
    assert await screen(APNS_ADDRESS) == ["before", "three"]


async def test_a_push_of_the_same_conversation_replaces_the_one_before(
    apple: ApnsProvider, clock, screen
) -> None:
    await send(apple, clock, AddressKind.APNS, ["1", "2", "3"], keys=["a", "b", "a"])

    assert await screen(APNS_ADDRESS) == ["2", "3"]


async def test_what_has_expired_or_was_now_or_never_is_not_shown_later(
    apple: ApnsProvider, clock, switch, screen
) -> None:
    await switch(APNS_ADDRESS, online=False)
    await send(apple, clock, AddressKind.APNS, ["chat"])
    await send(apple, clock, AddressKind.APNS, ["call"], now_or_never=True)
    await switch(APNS_ADDRESS, online=True)
    timely = await screen(APNS_ADDRESS)
    await switch(APNS_ADDRESS, online=False)
    await send(apple, clock, AddressKind.APNS, ["late"])
    clock.move(hours=2)
    await switch(APNS_ADDRESS, online=True)

    assert timely == ["chat"]
    assert await screen(APNS_ADDRESS) == ["chat"]


async def test_fcm_keeps_one_push_for_each_of_four_keys(sandbox, clock, switch, screen) -> None:
    async with open_fcm(fcm_options(sandbox), clock=clock) as fcm:
        await switch("sandbox-phone", online=False)
        await send(
            fcm, clock, AddressKind.FCM_TOKEN, list("123456"), keys=["a", "b", "c", "d", "e", "b"]
        )
        await switch("sandbox-phone", online=True)

    assert await screen("sandbox-phone") == ["3", "4", "5", "6"]


async def test_a_push_service_keeps_one_push_for_each_topic(sandbox, clock, switch, screen) -> None:
    async with open_webpush(webpush_options(sandbox), clock=clock) as browsers:
        await switch("amina", online=False)
        address = sandbox.webpush.subscribe("amina")
        await send(
            browsers,
            clock,
            AddressKind.WEBPUSH,
            list("123456"),
            address=address,
            keys=["a", "b", "c", "d", "e", "b"],
        )
        await switch("amina", online=True)

    assert await screen("amina") == ["1", "3", "4", "5", "6"]
