"""What `zaffa doctor` says of Redis, however there is one."""

import pytest

from kernel.adapters.database import DatabaseOptions
from kernel.adapters.redis_options import RedisOptions
from server.checkup import Finding, Level, check
from server.wiring.groups import Settings
from tests.support.redis_setups import RIGHTS, admin
from tests.support.servers import ValkeyServer

pytestmark = pytest.mark.external


async def said_of(options: RedisOptions, database_url: str) -> Finding:
    """The finding about Redis."""
    settings = Settings(redis=options, database=DatabaseOptions(url=database_url))
    [finding] = [each async for each in check(settings) if each.subject == "redis"]
    return finding


async def test_the_doctor_has_redis_carry_something(redis_options, sqlite_database_url):
    finding = await said_of(redis_options, sqlite_database_url)

    setup = redis_options.address.setup
    assert finding == Finding(Level.OK, "redis", f"answers and carries news ({setup})")


@pytest.mark.parametrize("missing", ["subscribe", "publish", "hgetall", "pexpire"])
async def test_the_doctor_says_what_the_access_list_forbids(
    valkey_server: ValkeyServer, sqlite_database_url, missing
):
    with admin(valkey_server) as client:
        client.execute_command("ACL SETUSER zaffa on >pass", *RIGHTS.split(), f"-{missing}")
    options = RedisOptions(
        url=valkey_server.url.replace("//", "//zaffa:pass@"), timeout_seconds=0.5
    )

    finding = await said_of(options, sqlite_database_url)

    assert finding.level is Level.FAIL
    assert "docs/operations.md" in finding.advice
    assert "pass" not in finding.text
    # Whoever publishes does not wait for the answer, so that refusal is in the log alone.
    assert missing in finding.text or missing == "publish"


async def test_the_doctor_says_that_nobody_answers(sqlite_database_url):
    away = RedisOptions(url="redis+cluster://127.0.0.1:1")

    finding = await said_of(away, sqlite_database_url)

    assert finding.level is Level.FAIL
    assert finding.advice == "Check ZAFFA_REDIS_URL."
