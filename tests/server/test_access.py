"""Every operation of every room asks who it is before anything else."""

import httpx
import pytest

from kernel.identity import Scope
from kernel.operations import AnyOperation
from server.app import create_app
from server.house import House
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.server.conftest import Asked

OPERATIONS = build(Settings()).operations
CLOSED = [each for each in OPERATIONS if not each.open]
"""What anybody may ask, `test_open_operations.py` asks."""
SOME_ID = "01935b7e-8a3b-7c9e-9f43-7a5f4d2c1b0a"


@pytest.fixture
async def rooms(house: House):
    """The house of these tests, with the operations of all rooms."""
    house.operations = OPERATIONS
    transport = httpx.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://zaffa.test") as http:
        yield Asked(house, http)


def path_of(operation: AnyOperation) -> str:
    parts = (SOME_ID if part.startswith("{") else part for part in operation.path.split("/"))
    return "/".join(parts)


def scoped(*, admin: bool) -> list[AnyOperation]:
    return [each for each in CLOSED if (each.scope is not None) is admin]


def named(operation: AnyOperation) -> str:
    return operation.name


@pytest.mark.parametrize("operation", CLOSED, ids=named)
async def test_nobody_may_ask_anything(rooms: Asked, operation):
    answer = await rooms.http.request(operation.method, path_of(operation))

    assert answer.status_code == 401


@pytest.mark.parametrize("operation", scoped(admin=True), ids=named)
async def test_a_server_without_the_scope_may_not(rooms: Asked, operation):
    others = [scope for scope in Scope if scope is not operation.scope]
    headers = {"x-api-key": await rooms.key(*others)}

    answer = await rooms.http.request(operation.method, path_of(operation), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("operation", scoped(admin=True), ids=named)
async def test_a_user_may_not_act_as_a_server(rooms: Asked, operation):
    answer = await rooms.as_user(operation.method, path_of(operation))

    assert answer.status_code == 401


@pytest.mark.parametrize("operation", scoped(admin=False), ids=named)
async def test_a_server_may_not_act_as_a_user(rooms: Asked, operation):
    headers = {"authorization": f"Bearer {await rooms.key(*Scope)}"}

    answer = await rooms.http.request(operation.method, path_of(operation), headers=headers)

    assert answer.status_code == 401


def test_paths_say_which_gateway_they_belong_to():
    for operation in OPERATIONS:
        prefix = "/v1/" if operation.scope is None else "/admin/v1/"
        assert operation.path.startswith(prefix), operation.name


def test_servers_call_over_rpc_whatever_has_one_answer():
    by_http_only = {each.name for each in scoped(admin=True) if not each.by_rpc}

    assert all(each.scope is None for each in OPERATIONS if each.rpc)
    assert by_http_only == {each.name for each in OPERATIONS if each.scope and each.streams}


def test_no_two_operations_share_a_name_or_a_place():
    names = [each.name for each in OPERATIONS]
    places = [(each.method, each.path) for each in OPERATIONS]

    assert len(set(names)) == len(names)
    assert len(set(places)) == len(places)
