"""What travels beside a publication's data: who published it, its tags, or who came and went."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from kernel.bus import Publication
from messaging.protocol import values
from messaging.protocol.values import ClientInfo


class Attendance(StrEnum):
    """What a publication without data says about a connection."""

    JOIN = "join"
    LEAVE = "leave"


class _Info(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A `ClientInfo` with its payloads as they are."""

    user: str
    client: str
    conn_info: msgspec.Raw = msgspec.Raw(b"null")
    chan_info: msgspec.Raw = msgspec.Raw(b"null")

    def as_value(self) -> ClientInfo:
        return ClientInfo(
            self.user, self.client, _payload(self.conn_info), _payload(self.chan_info)
        )


class Extra(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Everything that may travel beside data, decoded."""

    by: _Info | None = None
    tags: dict[str, str] = {}
    attendance: Attendance | None = None

    @property
    def info(self) -> ClientInfo | None:
        """Who published it, or came, or went."""
        return None if self.by is None else self.by.as_value()


NOTHING = Extra()

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Extra)


def extra_of(*, info: ClientInfo | None = None, tags: Mapping[str, str] | None = None) -> bytes:
    """What travels beside the data of a publication; empty if there is nothing to say."""
    if info is None and not tags:
        return b""
    return _encoder.encode(Extra(_info(info), dict(tags or {})))


def attendance_of(attendance: Attendance, info: ClientInfo) -> bytes:
    """What travels in place of data when a connection comes or goes."""
    return _encoder.encode(Extra(_info(info), {}, attendance))


def read(extra: bytes) -> Extra:
    """What travelled; nothing if it is not understood, as it may come from a later release."""
    if not extra:
        return NOTHING
    try:
        return _decoder.decode(extra)
    except msgspec.DecodeError:
        return NOTHING


def value_of(publication: Publication) -> values.Publication:
    """A publication as clients are given it in results."""
    extra = read(publication.extra)
    return values.Publication(
        data=publication.data,
        info=extra.info,
        offset=0 if publication.position is None else publication.position.offset,
        tags=extra.tags,
    )


def _info(info: ClientInfo | None) -> _Info | None:
    if info is None:
        return None
    return _Info(info.user, info.client, _raw(info.conn_info), _raw(info.chan_info))


def _raw(payload: bytes) -> msgspec.Raw:
    return msgspec.Raw(payload or b"null")


def _payload(raw: msgspec.Raw) -> bytes:
    payload = bytes(raw)
    return b"" if payload == b"null" else payload
