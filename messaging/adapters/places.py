"""Where streams are while a batch of postings is appended to them, and how it is written."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import table_of
from kernel.bus import StreamPosition
from messaging.adapters.tables import PublicationKeyRow, PublicationRow, StreamRow
from messaging.types import Posting

_streams = table_of(StreamRow)
_publications = table_of(PublicationRow)
_keys = table_of(PublicationKeyRow)
_s, _p, _k = _streams.c, _publications.c, _keys.c


class Place:
    """A stream while a batch is appended to it."""

    def __init__(self, row: sa.Row[Any], now: datetime) -> None:
        self.epoch: str = row.epoch
        self.top: int = row.top
        self.floor = 0
        """Publications up to this offset are let go."""
        self.version: int = row.version
        self.version_epoch: str = row.version_epoch
        self.latest: Posting | None = None
        if row.kept_until is not None and row.kept_until <= now:
            self.floor = self.top

    @property
    def position(self) -> StreamPosition:
        return StreamPosition(self.top, self.epoch)

    def takes(self, posting: Posting) -> bool:
        """Whether the posting's version, if it has one, is newer than the stream's."""
        same_count = posting.version_epoch == self.version_epoch
        return not (posting.version and same_count and posting.version <= self.version)

    def grow(self, posting: Posting) -> int:
        """Take the posting; its offset."""
        self.top += 1
        self.floor = max(self.floor, self.top - posting.size)
        self.latest = posting
        if posting.version:
            self.version, self.version_epoch = posting.version, posting.version_epoch
        return self.top


async def write(
    connection: AsyncConnection,
    new: Sequence[tuple[Posting, int]],
    places: Mapping[str, Place],
) -> None:
    """Write postings at their offsets, and what became of the streams they grew."""
    grown = {channel: place for channel, place in places.items() if place.latest is not None}
    rows = [
        {
            "channel": posting.channel,
            "offset": offset,
            "data": posting.data.decode(),
            "extra": posting.extra.decode(),
        }
        for posting, offset in new
        # What a burst pushes out of its stream at once need not be written.
        if offset > places[posting.channel].floor
    ]
    await connection.execute(_publications.insert(), rows)
    await connection.execute(
        _GROW,
        [
            {
                "grown": channel,
                "to": place.top,
                "version": place.version,
                "version_epoch": place.version_epoch,
                "kept_until": place.latest.kept_until,
                "known_until": place.latest.known_until,
            }
            for channel, place in grown.items()
            if place.latest is not None
        ],
    )
    floors = [
        {"gone": channel, "floor": place.floor} for channel, place in grown.items() if place.floor
    ]
    if floors:
        await connection.execute(_LET_GO, floors)
    keys = [
        {
            "channel": posting.channel,
            "key": posting.idempotency_key,
            "epoch": places[posting.channel].epoch,
            "offset": offset,
            "expires_at": posting.remembered_until,
        }
        for posting, offset in new
        if posting.idempotency_key
    ]
    if keys:
        await connection.execute(
            _FORGET_KEYS, [{"at": k["channel"], "old": k["key"]} for k in keys]
        )
        await connection.execute(_keys.insert(), keys)


_GROW = (
    _streams.update()
    .where(_s.channel == sa.bindparam("grown"))
    .values(
        top=sa.bindparam("to"),
        version=sa.bindparam("version"),
        version_epoch=sa.bindparam("version_epoch"),
        kept_until=sa.bindparam("kept_until"),
        known_until=sa.bindparam("known_until"),
    )
)
_LET_GO = _publications.delete().where(
    _p.channel == sa.bindparam("gone"), _p.offset <= sa.bindparam("floor")
)
_FORGET_KEYS = _keys.delete().where(_k.channel == sa.bindparam("at"), _k.key == sa.bindparam("old"))
