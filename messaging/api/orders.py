"""Orders about a user's connections, on whatever node they are."""

from typing import TypedDict

from msgspec import UNSET, Raw

from kernel.bus import Bus
from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from messaging.access import Access, Answer
from messaging.api.filters import checked
from messaging.api.names import options_of
from messaging.api.requests import (
    Addressed,
    DisconnectRequest,
    Given,
    RefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from messaging.api.results import Done
from messaging.channels.namespaces import Namespaces
from messaging.nodes import control
from messaging.protocol.codes import DisconnectCode, UnsubscribeCode
from messaging.protocol.values import FilterNode
from messaging.tokens import payload_of

_FIRST_CODE = 3000
"""Lower ones are the WebSocket protocol's own."""


class Orders:
    """Says what shall be done, to every node at once; none of them is waited for.

    An order is carried out by the nodes that hear it, within the time a publication takes. One
    that is cut off from the bus at this moment does not: what must hold is kept in the database
    (members of a conversation, blocked users), and orders only make it quick.
    """

    def __init__(self, *, bus: Bus, access: Access, namespaces: Namespaces) -> None:
        self._bus = bus
        self._access = access
        self._namespaces = namespaces

    async def subscribe(self, _server: Principal, asked: SubscribeRequest) -> Done:
        """Subscribe a user's connections to a channel; those that are subscribed stay so.

        Nobody is brought into a conversation like this, nor into another's personal channel.
        """
        user_id, channel = UserId(asked.user), asked.channel
        options_of(self._namespaces, channel)
        answer = await self._access.may_listen(user_id, channel, with_token=True)
        # Of all users, each node lets in those of its own who may.
        if answer is not Answer.ALLOWED and (user_id or not asked.all_users):
            raise Denied("The channel is for others only.")
        since = asked.recover_since
        self._order(
            control.Subscribe(
                **_addressed(asked),
                channel=channel,
                info=_payload("info", asked.info, asked.b64info),
                data=_payload("data", asked.data, asked.b64data),
                override=asked.override,
                expire_at=asked.expire_at or 0,
                since=None if since is None else (since.offset or 0, since.epoch or ""),
            )
        )
        return Done()

    async def unsubscribe(self, _server: Principal, asked: UnsubscribeRequest) -> Done:
        """End a user's subscriptions to a channel, or to all; clients do not come back to it."""
        if asked.channel:
            options_of(self._namespaces, asked.channel)
        self._order(
            control.Unsubscribe(
                **_addressed(asked),
                channel=asked.channel,
                code=UnsubscribeCode.SERVER.value,
            )
        )
        return Done()

    async def disconnect(self, _server: Principal, asked: DisconnectRequest) -> Done:
        """Close a user's connections. Whether clients come back is for the code to say."""
        said = asked.disconnect
        code = said.code if said and said.code else DisconnectCode.FORCE_DISCONNECT.value
        if code < _FIRST_CODE:
            raise InvalidInput("disconnect.code", f"must be from {_FIRST_CODE} to 4999")
        self._order(
            control.Disconnect(
                **_addressed(asked),
                code=code,
                reason=said.reason if said else "",
                spared=tuple(asked.whitelist or ()),
            )
        )
        return Done()

    async def refresh(self, _server: Principal, asked: RefreshRequest) -> Done:
        """Move when a user's connections expire, or let them expire now."""
        self._order(
            control.Refresh(
                **_addressed(asked),
                expired=bool(asked.expired),
                expire_at=asked.expire_at or 0,
                info=_payload("info", asked.info, None),
            )
        )
        return Done()

    def _order(self, order: control.Order) -> None:
        self._bus.publish([control.publication_of_order(order)])


class _Whom(TypedDict):
    user_id: UserId
    client: str
    session: str
    everybody: bool
    label_filter: FilterNode | None


def _addressed(asked: Addressed) -> _Whom:
    return _Whom(
        user_id=UserId(asked.user),
        client=asked.client or "",
        session=asked.session or "",
        everybody=bool(asked.all_users),
        label_filter=checked(asked.label_filter),
    )


def _payload(name: str, given: Given, in_base64: str | None) -> Raw:
    raw = Raw() if given is UNSET else given
    try:
        return Raw(payload_of(raw, in_base64 or "") or b"null")
    except ValueError as error:
        raise InvalidInput(f"b64{name}" if in_base64 else name, str(error)) from None
