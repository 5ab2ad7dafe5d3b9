"""How an operator asks to watch a user or a channel."""

from typing import Annotated, Any

from msgspec import Meta

from kernel.errors import InvalidInput, Unavailable
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.operations import AnyOperation, Operation
from messaging.errors import TooManyTraces
from messaging.schemas import Taken
from messaging.tracing.events import TraceEvent
from messaging.tracing.traces import Tracing


class Watch(Taken, frozen=True):
    """Either a user or a channel, and for how many seconds."""

    user_id: UserId | None = None
    channel: str = ""
    seconds: Annotated[float, Meta(gt=0, le=600)] = 60.0


def operations(tracing: Tracing) -> list[AnyOperation]:
    """For API keys with the scope to operate."""

    async def watch(principal: Principal, asked: Watch) -> Any:
        principal.require(Scope.OPERATE)
        return tracing.watch(
            user_id=asked.user_id, channel=asked.channel, seconds=asked.seconds, by=principal
        )

    return [
        Operation(
            name="trace.watch",
            method="GET",
            path="/admin/v1/trace",
            summary="Watch a user's connections or a channel on all nodes, for a while.",
            takes=Watch,
            gives=TraceEvent,
            run=watch,
            scope=Scope.OPERATE,
            streams=True,
            refusals=(InvalidInput, TooManyTraces, Unavailable),
        )
    ]
