"""Publications in the name of the application, and the histories they leave."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence

from msgspec import UNSET, Raw

from kernel.bus import StreamPosition
from kernel.errors import InvalidInput, Refusal
from kernel.identity import Principal
from messaging.api.answers import error_of
from messaging.api.names import options_of
from messaging.api.options import ApiOptions
from messaging.api.requests import (
    BroadcastRequest,
    HistoryRemoveRequest,
    HistoryRequest,
    PublishRequest,
)
from messaging.api.results import (
    BroadcastResult,
    ClientInfo,
    Done,
    HistoryResult,
    Publication,
    PublishResponse,
    PublishResult,
)
from messaging.channels.names import conversation_of
from messaging.channels.namespaces import Namespaces
from messaging.protocol import requests as protocol
from messaging.protocol import values
from messaging.protocol.codes import ErrorCode
from messaging.publishing.clearing import Clearing
from messaging.publishing.history import History
from messaging.publishing.publishing import Publishing, Words
from messaging.refusals import Declined

_NOWHERE = PublishResult()


class Publications:
    """Servers may publish in every channel but conversations, and read every history."""

    def __init__(
        self,
        *,
        publishing: Publishing,
        history: History,
        clearing: Clearing,
        namespaces: Namespaces,
        options: ApiOptions,
    ) -> None:
        self._publishing = publishing
        self._history = history
        self._clearing = clearing
        self._namespaces = namespaces
        self._options = options

    async def publish(self, _server: Principal, asked: PublishRequest) -> PublishResult:
        """Publish to a channel. It is durable, where a history is kept, when this returns."""
        return _result(await self._publishing.publish(asked.channel, _words(asked)))

    async def broadcast(self, _server: Principal, asked: BroadcastRequest) -> BroadcastResult:
        """Publish the same to many channels; each has an answer of its own, in their order."""
        most = self._options.broadcast_channels
        if len(asked.channels) > most:
            raise InvalidInput("channels", f"must be at most {most}")
        outcomes = await self._publishing.broadcast(asked.channels, _words(asked))
        return BroadcastResult(_responses(outcomes))

    async def history(self, _server: Principal, asked: HistoryRequest) -> HistoryResult:
        """A page of a channel's history, and its end."""
        self._demand_history(asked.channel)
        since = None
        if asked.since is not None:
            since = values.StreamPosition(asked.since.offset or 0, asked.since.epoch or "")
        found = await self._history.read(
            protocol.HistoryRequest(
                asked.channel,
                limit=asked.limit or 0,
                since=since,
                reverse=bool(asked.reverse),
            )
        )
        publications = [_publication(each) for each in found.publications]
        return HistoryResult(publications, found.epoch, found.offset)

    async def history_remove(self, _server: Principal, asked: HistoryRemoveRequest) -> Done:
        """Let go a channel's history. Messages of conversations are not removed here."""
        self._demand_history(asked.channel)
        if conversation_of(asked.channel) is not None:
            raise Declined(ErrorCode.NOT_AVAILABLE, "a conversation's messages are its own")
        await self._clearing.clear(asked.channel)
        return Done()

    def _demand_history(self, channel: str) -> None:
        options = options_of(self._namespaces, channel)
        if options is not None and not options.keeps:
            raise Declined(ErrorCode.NOT_AVAILABLE, "its namespace keeps no history")


def client_info(info: values.ClientInfo) -> ClientInfo:
    """A connection in the words of the server API."""
    return ClientInfo(
        info.user,
        info.client,
        Raw(info.conn_info) if info.conn_info else UNSET,
        Raw(info.chan_info) if info.chan_info else UNSET,
    )


def _words(asked: PublishRequest | BroadcastRequest) -> Words:
    return Words(
        _payload(asked),
        tags=asked.tags or {},
        skip_history=bool(asked.skip_history),
        idempotency_key=asked.idempotency_key or "",
        version=asked.version or 0,
        version_epoch=asked.version_epoch or "",
    )


def _payload(asked: PublishRequest | BroadcastRequest) -> bytes:
    if not asked.b64data:
        return b"" if asked.data is UNSET else bytes(asked.data)
    try:
        return b64decode(asked.b64data, validate=True)
    except (NotBase64, ValueError):
        raise InvalidInput("b64data", "must be in base 64") from None


def _result(position: StreamPosition | None) -> PublishResult:
    return _NOWHERE if position is None else PublishResult(position.offset, position.epoch)


def _responses(outcomes: Sequence[StreamPosition | Refusal | None]) -> list[PublishResponse]:
    return [
        PublishResponse(error=error_of(each))
        if isinstance(each, Refusal)
        else PublishResponse(result=_result(each))
        for each in outcomes
    ]


def _publication(publication: values.Publication) -> Publication:
    return Publication(
        Raw(publication.data),
        client_info(publication.info) if publication.info else UNSET,
        publication.offset,
        publication.tags,
    )
