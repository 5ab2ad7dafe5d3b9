"""The streams of channels in SQL: appended to in batches, read without a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from secrets import token_urlsafe
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from kernel.bus import Publication, StreamPosition
from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.metrics import Metrics
from messaging.adapters import postgres_log
from messaging.adapters.chunks import chunks
from messaging.adapters.message_batches import Batches, BatchOptions, Overtaken
from messaging.adapters.places import Place, write
from messaging.adapters.tables import PublicationKeyRow, PublicationRow, StreamRow
from messaging.types import Posted, Posting

_streams = table_of(StreamRow)
_publications = table_of(PublicationRow)
_keys = table_of(PublicationKeyRow)
_s, _p, _k = _streams.c, _publications.c, _keys.c

_EPOCH_BYTES = 6

WORN = 0.125
"""The part of its time after which a stream that is asked for is known for its whole time again:
not each time, since whoever follows it asks every few seconds."""


class SqlPublications:
    """Fulfils `PublicationStore`. Close it before the database: it finishes what it accepted."""

    def __init__(
        self, *, database: Database, clock: Clock, metrics: Metrics, options: BatchOptions
    ) -> None:
        self._database = database
        self._clock = clock
        unkeyed = count()
        self._batches = Batches[Posting, Posted](
            self._commit,
            key=lambda each: (each.channel, each.idempotency_key or next(unkeyed)),
            options=options,
            metrics=metrics,
            noun="publication",
        )

    async def append(self, posting: Posting) -> Posted:
        return await self._batches.append(posting)

    async def remember(self, channel: str, key: str, *, until: datetime) -> bool:
        row = {"channel": channel, "key": key, "epoch": "", "offset": 0, "expires_at": until}
        over = _k.expires_at <= self._clock.now()
        async with self._database.transaction() as connection:
            await connection.execute(
                _keys.delete().where(_k.channel == channel, _k.key == key, over)
            )
            insert = self._database.insert_new(_keys, on=["channel", "key"])
            return bool((await connection.execute(insert, row)).rowcount)

    async def tops(
        self, channels: Sequence[str], *, known_until: Mapping[str, datetime]
    ) -> Mapping[str, StreamPosition]:
        found: dict[str, StreamPosition] = {}
        fading: list[str] = []
        now = self._clock.now()
        async with self._database.reading() as connection:
            for some in chunks(channels):
                for row in await connection.execute(_PLACES, {"channels": some}):
                    found[row.channel] = StreamPosition(row.top, row.epoch)
                    until = known_until[row.channel]
                    if until - row.known_until > (until - now) * WORN:
                        fading.append(row.channel)
        if fading:
            longer = [{"known": each, "until": known_until[each]} for each in sorted(fading)]
            async with self._database.transaction() as connection:
                await connection.execute(_REMEMBER, longer)
        missing = [each for each in dict.fromkeys(channels) if each not in found]
        if missing:
            async with self._database.transaction() as connection:
                for some in chunks(sorted(missing)):
                    await self._begin(connection, {each: known_until[each] for each in some})
                    rows = await connection.execute(_PLACES, {"channels": some})
                    found.update({row.channel: StreamPosition(row.top, row.epoch) for row in rows})
        return found

    async def since(self, channel: str, *, offset: int, limit: int) -> Sequence[Publication]:
        return await self._read(
            _KEPT.where(_p.offset > offset).order_by(_p.offset).limit(limit), channel
        )

    async def before(
        self, channel: str, *, offset: int | None, limit: int
    ) -> Sequence[Publication]:
        statement = _KEPT.order_by(_p.offset.desc()).limit(limit)
        if offset is not None:
            statement = statement.where(_p.offset < offset)
        return await self._read(statement, channel)

    async def remove(self, channel: str) -> None:
        async with self._database.transaction() as connection:
            # Whoever appends meanwhile holds this row, so nothing of theirs is half gone.
            await connection.execute(
                sa.select(_s.channel).where(_s.channel == channel).with_for_update()
            )
            await connection.execute(_publications.delete().where(_p.channel == channel))

    async def prune(self, *, limit: int) -> int:
        now = self._clock.now()
        async with self._database.transaction() as connection:
            old = sa.select(_p.channel, _p.offset).join(_streams, _s.channel == _p.channel)
            gone = await _delete(
                connection, _publications, old.where(_s.kept_until <= now).limit(limit)
            )
            unkept = ~sa.exists().where(_p.channel == _s.channel)
            forgotten = sa.select(_s.channel).where(_s.known_until <= now, unkept)
            gone += await _delete(connection, _streams, forgotten.limit(limit))
            keys = sa.select(_k.channel, _k.key).where(_k.expires_at <= now)
            return gone + await _delete(connection, _keys, keys.limit(limit))

    async def close(self) -> None:
        """Accept nothing more, and return when what was accepted is stored or refused."""
        await self._batches.close()

    async def _read(self, statement: sa.Select[Any], channel: str) -> list[Publication]:
        asked = {"channel": channel, "now": self._clock.now()}
        async with self._database.reading() as connection:
            return [
                Publication(
                    channel,
                    row.data.encode(),
                    StreamPosition(row.offset, row.epoch),
                    row.extra.encode(),
                )
                for row in await connection.execute(statement, asked)
            ]

    # --- appending -----------------------------------------------------------------------------

    async def _commit(self, postings: Sequence[Posting]) -> Sequence[Posted | Refusal]:
        try:
            async with self._database.transaction() as connection:
                return await self._append(connection, postings)
        except sa.exc.DBAPIError as error:
            if postgres_log.is_overtaken(error):
                raise Overtaken("Others are publishing to the same channels.") from error
            raise

    async def _append(
        self, connection: AsyncConnection, postings: Sequence[Posting]
    ) -> list[Posted | Refusal]:
        places = await self._locked(connection, postings)
        repeated = await self._repeated(connection, postings)
        outcomes: list[Posted | Refusal] = []
        new: list[tuple[Posting, int]] = []
        for posting in postings:
            place = places[posting.channel]
            before = repeated.get((posting.channel, posting.idempotency_key))
            if before is not None:
                outcomes.append(Posted(before, is_new=False))
            elif not place.takes(posting):
                outcomes.append(Posted(place.position, is_new=False))
            else:
                new.append((posting, place.grow(posting)))
                outcomes.append(Posted(place.position, is_new=True))
        if new:
            await write(connection, new, places)
        return outcomes

    async def _locked(
        self, connection: AsyncConnection, postings: Iterable[Posting]
    ) -> dict[str, Place]:
        """The streams of these postings, which nobody else writes to until we are done."""
        wanted = {each.channel: each.known_until for each in postings}
        now = self._clock.now()
        places: dict[str, Place] = {}
        for _ in range(2):
            missing = sorted(wanted.keys() - places.keys())
            for some in chunks(missing):
                rows = await connection.execute(_LOCK, {"channels": some})
                places.update({row.channel: Place(row, now) for row in rows})
            missing = sorted(wanted.keys() - places.keys())
            if not missing:
                break
            await self._begin(connection, {each: wanted[each] for each in missing})
        return places

    async def _begin(
        self, connection: AsyncConnection, known_until: Mapping[str, datetime]
    ) -> None:
        """Begin streams, unless somebody else has."""
        rows = [
            {
                "channel": channel,
                "epoch": token_urlsafe(_EPOCH_BYTES),
                "top": 0,
                "version": 0,
                "version_epoch": "",
                "known_until": until,
            }
            for channel, until in known_until.items()
        ]
        await connection.execute(self._database.insert_new(_streams, on=["channel"]), rows)

    async def _repeated(
        self, connection: AsyncConnection, postings: Iterable[Posting]
    ) -> dict[tuple[str, str], StreamPosition]:
        """The places of what was published under these keys before."""
        keys = [(each.channel, each.idempotency_key) for each in postings if each.idempotency_key]
        found: dict[tuple[str, str], StreamPosition] = {}
        for some in chunks(keys):
            statement = sa.select(_keys).where(
                sa.tuple_(_k.channel, _k.key).in_(some), _k.expires_at > self._clock.now()
            )
            for row in await connection.execute(statement):
                found[row.channel, row.key] = StreamPosition(row.offset, row.epoch)
        return found


async def _delete(connection: AsyncConnection, table: sa.Table, old: sa.Select[Any]) -> int:
    """Delete the rows with these primary keys; how many."""
    key = sa.tuple_(*table.primary_key.columns) if len(table.primary_key) > 1 else None
    column = next(iter(table.primary_key.columns)) if key is None else key
    return (await connection.execute(table.delete().where(column.in_(old)))).rowcount


_PLACES = sa.select(_s.channel, _s.top, _s.epoch, _s.known_until).where(
    _s.channel.in_(sa.bindparam("channels", expanding=True))
)
_REMEMBER = (
    _streams.update()
    .where(
        _s.channel == sa.bindparam("known"),
        _s.known_until < sa.bindparam("until", type_=_s.known_until.type),
    )
    .values(known_until=sa.bindparam("until", type_=_s.known_until.type))
)
_LOCK = (
    sa.select(_streams)
    .where(_s.channel.in_(sa.bindparam("channels", expanding=True)))
    .order_by(_s.channel)
    .with_for_update()
)
_KEPT = (
    sa.select(_p.offset, _p.data, _p.extra, _s.epoch)
    .join(_streams, _s.channel == _p.channel)
    .where(
        _p.channel == sa.bindparam("channel"),
        _s.kept_until > sa.bindparam("now", type_=_s.kept_until.type),
    )
)
