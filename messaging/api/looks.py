"""Looks at who is there: in a channel, in all channels, on all nodes."""

from kernel.identity import Principal
from messaging.api.names import options_of
from messaging.api.publications import client_info
from messaging.api.requests import (
    ChannelsRequest,
    InfoRequest,
    PresenceRequest,
    PresenceStatsRequest,
)
from messaging.api.results import (
    ChannelInfo,
    ChannelsResult,
    InfoResult,
    NodeResult,
    PresenceResult,
    PresenceStatsResult,
    Process,
)
from messaging.channel_counts import ChannelCounts
from messaging.channels.names import user_of
from messaging.channels.namespaces import Namespaces
from messaging.nodes.news import NodeInfo
from messaging.nodes.nodes import Nodes
from messaging.presence.attendance import AttendanceBook
from messaging.protocol.codes import ErrorCode
from messaging.refusals import Declined


class Looks:
    """Servers may see everybody, also in conversations and personal channels."""

    def __init__(
        self,
        *,
        attendance: AttendanceBook,
        channel_counts: ChannelCounts,
        nodes: Nodes,
        namespaces: Namespaces,
    ) -> None:
        self._attendance = attendance
        self._channel_counts = channel_counts
        self._nodes = nodes
        self._namespaces = namespaces

    async def presence(self, _server: Principal, asked: PresenceRequest) -> PresenceResult:
        """The connections in a channel."""
        self._demand_presence(asked.channel)
        members = await self._attendance.members(asked.channel)
        return PresenceResult({client: client_info(each) for client, each in members.items()})

    async def presence_stats(
        self, _server: Principal, asked: PresenceStatsRequest
    ) -> PresenceStatsResult:
        """How many they are."""
        self._demand_presence(asked.channel)
        return PresenceStatsResult(*await self._attendance.counts(asked.channel))

    async def channels(self, _server: Principal, asked: ChannelsRequest) -> ChannelsResult:
        """The channels that somebody is subscribed to, on any node."""
        found = await self._channel_counts.ask(asked.pattern or "")
        return ChannelsResult({name: ChannelInfo(count) for name, count in found.items()})

    async def info(self, _server: Principal, _asked: InfoRequest) -> InfoResult:
        """The living nodes."""
        return InfoResult([_node(each) for each in self._nodes.living()])

    def _demand_presence(self, channel: str) -> None:
        options = options_of(self._namespaces, channel)
        if options is not None and user_of(channel) is None and not options.presence:
            raise Declined(ErrorCode.NOT_AVAILABLE, "its namespace keeps no presence")


def _node(node: NodeInfo) -> NodeResult:
    return NodeResult(
        uid=node.id,
        name=node.name,
        version=node.version,
        num_clients=node.clients,
        num_users=node.users,
        num_channels=node.channels,
        num_subs=node.subscriptions,
        uptime=int(node.uptime_seconds),
        process=Process(
            cpu=node.measures.get("cpu_percent", 0.0), rss=int(node.measures.get("rss_bytes", 0))
        ),
    )
