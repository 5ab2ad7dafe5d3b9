"""Who comes to a channel and goes: told to those who listen, kept for those who ask."""

from collections.abc import Mapping

from kernel.bus import Bus, Publication
from kernel.identity import ANONYMOUS
from messaging.access import Access
from messaging.channels.grants import Grant
from messaging.connections.connection import Connection
from messaging.delivery.extras import Attendance, attendance_of
from messaging.ports import ChannelPresenceRegistry
from messaging.presence.presence import Keeper, Presences
from messaging.protocol.values import ClientInfo
from messaging.types import ChannelMember


class Attendances:
    """Called by the hub in the turn in which a subscription begins or ends; nothing waits."""

    def __init__(self, *, bus: Bus, keeper: Keeper[ChannelMember]) -> None:
        self._bus = bus
        self._keeper = keeper

    def came(self, connection: Connection, channel: str, grant: Grant) -> None:
        """A subscription is on."""
        if grant.present:
            self._keeper.entered(member_of(connection, channel, grant))
        if grant.tells_attendance:
            self._tell(Attendance.JOIN, connection, channel, grant)

    def known_as(self, connection: Connection, channel: str, grant: Grant) -> None:
        """Something new is said of who is there."""
        if grant.present:
            self._keeper.entered(member_of(connection, channel, grant))

    def went(self, connection: Connection, channel: str, grant: Grant) -> None:
        """A subscription is over."""
        if grant.present:
            self._keeper.left(member_of(connection, channel, grant))
        if grant.tells_attendance:
            self._tell(Attendance.LEAVE, connection, channel, grant)

    def _tell(
        self, attendance: Attendance, connection: Connection, channel: str, grant: Grant
    ) -> None:
        extra = attendance_of(attendance, info_of(connection, grant))
        self._bus.publish([Publication(channel, b"", None, extra)])


class AttendanceBook:
    """Who is in a channel, by connection.

    In a conversation and in a personal channel those are the connections of its users, whether
    they listen or not; elsewhere those that are subscribed.
    """

    def __init__(
        self, *, access: Access, presences: Presences, channels: ChannelPresenceRegistry
    ) -> None:
        self._access = access
        self._presences = presences
        self._channels = channels

    async def members(self, channel: str) -> Mapping[str, ClientInfo]:
        """Each connection that is in the channel, as others see it."""
        user_ids = await self._access.users_of(channel)
        if user_ids is not None:
            there = await self._presences.connections(user_ids)
            return {
                client: ClientInfo(each.user_id, client, each.info or b"")
                for client, each in there.items()
            }
        return {
            client: ClientInfo(each.user_id, client, each.conn_info or b"", each.chan_info or b"")
            for client, each in (await self._channels.members(channel)).items()
        }

    async def counts(self, channel: str) -> tuple[int, int]:
        """How many connections are in the channel, and of how many users."""
        user_ids = await self._access.users_of(channel)
        if user_ids is None:
            return await self._channels.counts(channel)
        there = await self._presences.connections(user_ids)
        return len(there), len({each.user_id for each in there.values()})


def info_of(connection: Connection, grant: Grant | None) -> ClientInfo:
    """A connection as others in a channel see it."""
    principal = connection.principal
    assert principal is not None, "nobody is anywhere before connect"
    return ClientInfo(
        principal.user_id or ANONYMOUS,
        connection.client,
        principal.info or b"",
        b"" if grant is None else grant.info,
    )


def member_of(connection: Connection, channel: str, grant: Grant) -> ChannelMember:
    """A connection as it is kept in a channel's presence."""
    info = info_of(connection, grant)
    return ChannelMember(
        channel=channel,
        client=info.client,
        user_id=connection.user_id or ANONYMOUS,
        conn_info=info.conn_info or None,
        chan_info=info.chan_info or None,
    )
