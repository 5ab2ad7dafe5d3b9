"""What can be asked of lists."""

from kernel.errors import Denied, InvalidInput, Refusal
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.operations import AnyOperation, Nothing, Operation
from notifications.errors import ListNotFound
from notifications.sends import schemas
from notifications.sends.lists import Lists

_PATH = "/admin/v1/lists/{list_id}"
_UNKNOWN: tuple[type[Refusal], ...] = (ListNotFound, InvalidInput, Denied)


def operations(lists: Lists) -> list[AnyOperation]:
    """What the application's servers may ask."""

    async def every(principal: Principal, _: Nothing) -> schemas.AllLists:
        found = await lists.all(principal)
        return schemas.AllLists([schemas.NamedList(*each) for each in found])

    async def get(principal: Principal, body: schemas.ListId) -> schemas.ListDetail:
        return schemas.ListDetail(body.list_id, *await lists.get(principal, body.list_id))

    async def replace(principal: Principal, body: schemas.ListUsers) -> schemas.ListBody:
        users = await lists.replace(principal, body.list_id, _users(body))
        return schemas.ListBody(body.list_id, users)

    async def append(principal: Principal, body: schemas.ListUsers) -> schemas.ListBody:
        users = await lists.append(principal, body.list_id, _users(body))
        return schemas.ListBody(body.list_id, users)

    async def remove(principal: Principal, body: schemas.ListUsers) -> schemas.ListBody:
        users = await lists.remove(principal, body.list_id, _users(body))
        return schemas.ListBody(body.list_id, users)

    async def delete(principal: Principal, body: schemas.ListId) -> Nothing:
        await lists.delete(principal, body.list_id)
        return Nothing()

    async def users(principal: Principal, body: schemas.ListedPage) -> schemas.UserPage:
        page = await lists.users(principal, body.list_id, cursor=body.cursor, limit=body.limit)
        return schemas.UserPage([str(each) for each in page.items], page.cursor)

    return [
        Operation(
            name="lists.list",
            method="GET",
            path="/admin/v1/lists",
            summary="List the lists of users.",
            takes=Nothing,
            gives=schemas.AllLists,
            run=every,
            scope=Scope.PUSHES,
            refusals=(Denied,),
        ),
        Operation(
            name="lists.get",
            method="GET",
            path=_PATH,
            summary="See how many users a list has.",
            takes=schemas.ListId,
            gives=schemas.ListDetail,
            run=get,
            scope=Scope.PUSHES,
            refusals=_UNKNOWN,
        ),
        Operation(
            name="lists.replace",
            method="PUT",
            path=_PATH,
            summary="Make a list of exactly these users, new or not.",
            takes=schemas.ListUsers,
            gives=schemas.ListBody,
            run=replace,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="lists.delete",
            method="DELETE",
            path=_PATH,
            summary="Forget a list.",
            takes=schemas.ListId,
            gives=Nothing,
            run=delete,
            scope=Scope.PUSHES,
            refusals=_UNKNOWN,
        ),
        Operation(
            name="lists.users",
            method="GET",
            path=f"{_PATH}/users",
            summary="List the users of a list.",
            takes=schemas.ListedPage,
            gives=schemas.UserPage,
            run=users,
            scope=Scope.PUSHES,
            refusals=_UNKNOWN,
        ),
        Operation(
            name="lists.append",
            method="POST",
            path=f"{_PATH}/users",
            summary="Put more users on a list.",
            takes=schemas.ListUsers,
            gives=schemas.ListBody,
            run=append,
            scope=Scope.PUSHES,
            refusals=_UNKNOWN,
        ),
        Operation(
            name="lists.remove",
            method="POST",
            path=f"{_PATH}/users/remove",
            summary="Take users off a list.",
            takes=schemas.ListUsers,
            gives=schemas.ListBody,
            run=remove,
            scope=Scope.PUSHES,
            refusals=_UNKNOWN,
        ),
    ]


def _users(body: schemas.ListUsers) -> list[UserId]:
    return [UserId(each) for each in body.user_ids]
