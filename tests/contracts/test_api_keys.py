"""What API keys promise, on SQLite and PostgreSQL alike."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.adapters.sql_api_keys import API_KEYS, SqlApiKeys
from kernel.errors import Unauthenticated
from kernel.identity import Principal, Scope

SCOPES = frozenset({Scope.USERS, Scope.PUSHES})


@pytest.fixture
def keys(database, clock):
    return SqlApiKeys(database, clock)


async def refused(keys, secret):
    with pytest.raises(Unauthenticated):
        await keys.verify(secret)


async def test_the_secret_of_a_key_proves_it_and_its_scopes(keys):
    key, secret = await keys.create("backend", SCOPES)

    for _ in range(2):
        assert await keys.verify(secret) == Principal(key_id=key.id, scopes=SCOPES)


async def test_a_key_may_have_no_scope(keys):
    _, secret = await keys.create("nothing", frozenset())

    assert (await keys.verify(secret)).scopes == frozenset()


async def test_secrets_say_that_they_are_ours(keys):
    """Secret scanners find `zaffa_…` in a repository."""
    key, secret = await keys.create("backend", SCOPES)

    assert secret.startswith(f"zaffa_{key.id.hex}_")
    assert len(secret) == len("zaffa_") + 32 + 1 + 64


async def test_the_secret_is_kept_nowhere(keys, database):
    _, secret = await keys.create("backend", SCOPES)

    async with database.reading() as connection:
        row = (await connection.execute(sa.select(API_KEYS))).one()

    assert secret.rpartition("_")[2] not in str(tuple(row))


@pytest.mark.parametrize("known", [False, True], ids=["first", "after a good one"])
async def test_a_wrong_secret_for_a_known_key_is_refused(keys, known):
    _, secret = await keys.create("backend", SCOPES)
    if known:
        await keys.verify(secret)

    await refused(keys, secret[:-1] + ("0" if secret[-1] != "0" else "1"))
    await refused(keys, secret + "0")


async def test_the_secret_of_another_key_is_refused(keys):
    first, _ = await keys.create("one", SCOPES)
    _, second = await keys.create("two", SCOPES)

    await refused(keys, f"zaffa_{first.id.hex}_{second.rpartition('_')[2]}")


@pytest.mark.parametrize(
    "text",
    ["", "zaffa_", "zaffa__", "zaffa_" + "z" * 32 + "_a", "other_" + "0" * 32 + "_a", "\ud800"],
)
async def test_text_that_is_no_key_is_refused(keys, text):
    await refused(keys, text)


@given(text=st.text())
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_no_text_does_more_than_be_refused(keys, text):
    await refused(keys, text)
    await refused(keys, f"zaffa_{'0' * 32}_{text}")


async def test_a_revoked_key_is_refused_at_once_where_it_was_revoked(keys):
    key, secret = await keys.create("backend", SCOPES)
    await keys.verify(secret)

    assert await keys.revoke(key.id)

    await refused(keys, secret)
    assert not await keys.revoke(key.id)


async def test_other_nodes_refuse_a_revoked_key_within_five_seconds(keys, database, clock):
    key, secret = await keys.create("backend", SCOPES)
    elsewhere = SqlApiKeys(database, clock)
    await elsewhere.verify(secret)
    clock.move(seconds=4)
    await elsewhere.verify(secret)

    await keys.revoke(key.id)
    clock.move(seconds=1)

    await refused(elsewhere, secret)


async def test_who_showed_a_key_once_is_known_until_it_is_revoked(keys, database, clock):
    key, secret = await keys.create("backend", SCOPES)
    shown = await keys.verify(secret)
    elsewhere = SqlApiKeys(database, clock)

    assert await keys.server(key.id) == shown
    assert await elsewhere.server(key.id) == shown
    await keys.revoke(key.id)
    clock.move(seconds=5)

    for each in (keys, elsewhere):
        with pytest.raises(Unauthenticated):
            await each.server(key.id)


async def test_keys_are_listed_newest_first_with_their_end(keys, clock):
    first, _ = await keys.create("one", SCOPES)
    clock.move(seconds=1)
    second, _ = await keys.create("two", frozenset())
    clock.move(seconds=1)
    await keys.revoke(first.id)

    newest, oldest = await keys.all()

    assert newest == second
    assert (oldest.name, oldest.scopes) == ("one", SCOPES)
    assert oldest.revoked_at == clock.now()


async def test_scopes_of_a_later_release_are_left_out(keys, database):
    _, secret = await keys.create("backend", SCOPES)
    async with database.transaction() as connection:
        await connection.execute(API_KEYS.update().values(scopes="users galaxies pushes"))

    assert (await keys.verify(secret)).scopes == SCOPES
