"""From settings to a house. Nothing here waits or touches the world."""

from collections.abc import Awaitable, Callable
from functools import cache

from kernel.backoff import Backoff
from kernel.relay import Relay
from kernel.supervisor import Supervisor
from messaging.sockets.handshake import WebSocketProtocol
from server.house import Hints, House
from server.migrations import SchemaState, current_on, head
from server.roles import ALL, ServerRole
from server.wiring.calendar import Calendar
from server.wiring.chat import Chat
from server.wiring.ground import Ground
from server.wiring.groups import Settings
from server.wiring.live import LiveNews
from server.wiring.pushes import Pushes

WEBSOCKET_CLASS = WebSocketProtocol
"""What uvicorn runs WebSockets with."""


def build(
    settings: Settings, *, roles: frozenset[ServerRole] = ALL, hints: Hints | None = None
) -> House:
    """The house that `settings` describe, doing the work of `roles`. Does no I/O."""
    return assemble(Ground(settings, roles), hints=hints)


def assemble(ground: Ground, *, hints: Hints | None = None) -> House:
    """The rooms on a ground, which may hold operations of its own already."""
    settings = ground.settings
    chat, pushes = Chat(ground), Pushes(ground)
    calendar = Calendar(ground, standing=chat.users.standing, talks=chat.talks)
    realtime = None
    if ground.works_as(ServerRole.GATEWAY):
        realtime = chat.gateway(ground.operations)
    if ground.works_as(ServerRole.RELAY):
        chat.relay()
        pushes.relay()
        calendar.relay(live=LiveNews(chat.publishing, chat.namespaces))
        ground.workers.append(_relay(ground))
    if ground.works_as(ServerRole.DISPATCHER):
        pushes.dispatcher()
    if ground.works_as(ServerRole.SCHEDULER):
        calendar.scheduler()
    return House(
        options=settings.server,
        clock=ground.clock,
        metrics=ground.metrics,
        database=ground.database,
        schema=_schema(ground),
        bus=ground.bus,
        tokens=chat.users.tokens,
        api_keys=ground.api_keys,
        callers=ground.callers,
        operations=ground.operations if realtime else (),
        websocket=realtime.websocket if realtime else None,
        streams=realtime.streams if realtime else (),
        upgrade=realtime.upgrade if realtime else None,
        api=realtime.api if realtime else None,
        disconnect_all=realtime.drain if realtime else _nobody_to_tell,
        supervisor=Supervisor(
            ground.workers,
            clock=ground.clock,
            metrics=ground.metrics,
            backoff=Backoff(first=0.5, cap=5.0, floor=0.1),
        ),
        parts=ground.parts,
        origins=settings.gateway.origins,
        hints=hints or Hints(),
    )


def _relay(ground: Ground) -> Relay:
    return Relay(
        outbox=ground.outbox,
        handlers=ground.handlers,
        clock=ground.clock,
        metrics=ground.metrics,
        options=ground.settings.relay,
        pulse=ground.relaying,
    )


def _schema(ground: Ground) -> Callable[[], Awaitable[SchemaState]]:
    # Reading the migrations takes a while, and load balancers ask every few seconds.
    newest = cache(head)

    async def schema() -> SchemaState:
        async with ground.database.reading() as connection:
            return SchemaState(await current_on(connection), newest())

    return schema


async def _nobody_to_tell(_seconds: float) -> None:
    """A process without connections may leave at once."""
