"""What can be asked about live connections, on all nodes."""

from kernel.errors import InvalidInput, Unavailable
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Nothing, Operation
from messaging.connections.connections import Connections, Wanted
from messaging.standing import schemas


def operations(connections: Connections) -> list[AnyOperation]:
    """For users their own, for API keys with the scope for users everybody's."""
    gateway = _Gateways(connections)
    return [
        Operation(
            name="connections.mine",
            method="GET",
            path="/v1/connections",
            summary="List your own live connections.",
            takes=Nothing,
            gives=schemas.OwnConnectionsAnswer,
            run=gateway.mine,
            rpc=True,
            refusals=(Unavailable,),
        ),
        Operation(
            name="connections.find",
            method="GET",
            path="/admin/v1/connections",
            summary="List live connections: of a user, with labels, or of an application.",
            takes=schemas.FindConnections,
            gives=schemas.ConnectionsAnswer,
            run=gateway.find,
            scope=Scope.USERS,
            refusals=(InvalidInput, Unavailable),
        ),
        Operation(
            name="connections.end",
            method="DELETE",
            path="/admin/v1/users/{user_id}/connections/{client}",
            summary="Close one connection of a user. Its client does not come back by itself.",
            takes=schemas.EndConnection,
            gives=Nothing,
            run=gateway.end,
            scope=Scope.USERS,
        ),
    ]


class _Gateways:
    """Both of them: each operation demands who may ask it."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def mine(self, principal: Principal, _: Nothing) -> schemas.OwnConnectionsAnswer:
        found = await self._connections.find(Wanted(user_id=principal.user))
        return schemas.OwnConnectionsAnswer(
            connections=[schemas.own_connection(each) for each in found.connections]
        )

    async def find(
        self, principal: Principal, asked: schemas.FindConnections
    ) -> schemas.ConnectionsAnswer:
        principal.require(Scope.USERS)
        labels = dict(map(_label, asked.label))
        found = await self._connections.find(
            Wanted(user_id=asked.user_id, labels=labels, app_name=asked.app_name, limit=asked.limit)
        )
        return schemas.ConnectionsAnswer(
            connections=found.connections, more=found.more, missing=found.missing
        )

    async def end(self, principal: Principal, asked: schemas.EndConnection) -> Nothing:
        principal.require(Scope.USERS)
        await self._connections.end(asked.client, user_id=asked.user_id, by=principal)
        return Nothing()


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidInput("label", "must be NAME=TEXT")
    return name, value
