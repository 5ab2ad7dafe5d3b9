"""The server API, wired."""

from collections.abc import Sequence

from kernel.operations import AnyOperation
from messaging.api.batches import Batches
from messaging.api.calls import Calls, ServerApi
from messaging.api.looks import Looks
from messaging.api.operations import batch_operation, channel_operations
from messaging.api.options import ApiOptions
from messaging.api.orders import Orders
from messaging.api.publications import Publications
from messaging.channel_counts import ChannelCounts
from messaging.channels.namespaces import Namespaces
from messaging.publishing.clearing import Clearing
from server.wiring.realtime import Ports, RealtimeParts


def server_api(
    parts: RealtimeParts,
    ports: Ports,
    *,
    namespaces: Namespaces,
    options: ApiOptions,
    more: Sequence[AnyOperation] = (),
) -> ServerApi:
    """What the application's own servers may ask of this node, and of all others through it."""
    clearing = Clearing(store=ports.publications, following=parts.following, bus=ports.bus)
    parts.hub.confidants.append(clearing.take)
    operations = channel_operations(
        publications=Publications(
            publishing=parts.publishing,
            history=parts.history,
            clearing=clearing,
            namespaces=namespaces,
            options=options,
        ),
        orders=Orders(bus=ports.bus, access=parts.access, namespaces=namespaces),
        looks=Looks(
            attendance=parts.attendance,
            channel_counts=ChannelCounts(
                following=parts.following,
                surveys=parts.surveys,
                clock=ports.clock,
                seconds=options.survey_seconds,
            ),
            nodes=parts.nodes,
            namespaces=namespaces,
        ),
    )
    commands = Calls([*operations, *more], metrics=ports.metrics)
    batches = Calls([batch_operation(Batches(commands, options))], metrics=ports.metrics)
    return ServerApi(
        commands=commands, batches=batches, lines=options.batch_commands, key=options.key
    )
