"""Making the firings that wait equal to plans, for several events at once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import AMONG, among
from kernel.adapters.driver import copy
from kernel.ids import new_ids
from reminders.adapters.firing_columns import MOVING, columns_of_firing
from reminders.adapters.mapping import FIRINGS, Columns
from reminders.adapters.plan_inputs import OnRecord, Waiting
from reminders.adapters.sql_alarms import tell_holders
from reminders.adapters.superseding import remove, revive
from reminders.firing import Firing
from reminders.ports import Reconciled


@dataclass(slots=True)
class Difference:
    """What has to be written for what waits to be what is planned."""

    added: list[Columns] = field(default_factory=list)
    """Without ids: those are new."""
    moved: list[Columns] = field(default_factory=list)
    removed: list[UUID] = field(default_factory=list)
    superseded: list[UUID] = field(default_factory=list)
    """What is removed although its time has come: that is not to pass in silence."""
    revived: list[Firing] = field(default_factory=list)
    """What was superseded, and is planned again."""
    first: dict[str, datetime] = field(default_factory=dict)
    """The users whose reminders are others now, and when the first of these is or was."""

    def find(
        self,
        waiting: Waiting,
        desired: Sequence[Firing],
        record: OnRecord,
        *,
        since: datetime,
        now: datetime,
    ) -> None:
        """Add that of one event; nothing new that was due before `since`."""
        wanted = {firing.dedupe_key: firing for firing in desired}
        for key, firing in wanted.items():
            row = waiting.get(key)
            if row is None:
                if key in record.superseded:
                    self.revived.append(firing)
                elif firing.due_at < since or key in record.settled:
                    continue
                self.added.append(columns_of_firing(firing))
                self._touch(firing.user_id, firing.due_at)
                continue
            columns = columns_of_firing(firing)
            if any(columns[name] != getattr(row, name) for name in MOVING):
                self.moved.append(
                    {"waiting_id": row.id, **{name: columns[name] for name in MOVING}}
                )
                if row.due_at != firing.due_at:
                    self._touch(row.user_id, min(row.due_at, firing.due_at))
        for key, row in waiting.items():
            if key not in wanted or key in record.settled:
                has_come = row.due_at <= now and key not in record.settled
                (self.superseded if has_come else self.removed).append(row.id)
                self._touch(row.user_id, row.due_at)

    def _touch(self, user_id: str, due_at: datetime) -> None:
        first = self.first.get(user_id)
        self.first[user_id] = due_at if first is None else min(first, due_at)


async def write(connection: AsyncConnection, difference: Difference, now: datetime) -> Reconciled:
    """Write it, and tell devices that hold something else."""
    writes = _WRITES[connection.dialect.name]
    if difference.revived:
        events = {firing.event_id for firing in difference.revived}
        keys = [firing.dedupe_key for firing in difference.revived]
        await revive(connection, list(events), keys)
    if difference.added:
        for row, id_ in zip(difference.added, new_ids(now, len(difference.added)), strict=True):
            row["id"] = id_
        await writes.add(connection, difference.added)
    if difference.moved:
        await connection.execute(writes.move, writes.given(difference.moved))
    if difference.removed:
        await connection.execute(writes.remove, {"ids": difference.removed})
    if difference.superseded:
        named = among(connection, FIRINGS.c.id, difference.superseded)
        await remove(connection, [named], now)
    await tell_holders(connection, difference.first, now)
    return Reconciled(
        len(difference.added),
        len(difference.moved),
        len(difference.removed) + len(difference.superseded),
        soonest=min(
            (row["due_at"] for row in (*difference.added, *difference.moved)), default=None
        ),
    )


@dataclass(frozen=True, slots=True)
class _Writes:
    """Built once for each dialect. `given` says how it wants many rows."""

    add: Callable[[AsyncConnection, Sequence[Columns]], Awaitable[object]]
    move: sa.Update
    remove: sa.Delete
    given: Callable[[Sequence[Columns]], Any]


def _on_postgresql() -> _Writes:
    """What is new is copied; what has changed goes as one array for each column: one trip, and a
    statement that is prepared once."""
    columns = dict(FIRINGS.c.items())
    in_order = itemgetter(*columns)
    changed = _unnested({"waiting_id": FIRINGS.c.id, **{name: columns[name] for name in MOVING}})
    return _Writes(
        add=lambda connection, rows: copy(
            connection, FIRINGS.name, list(columns), list(map(in_order, rows))
        ),
        move=FIRINGS.update()
        .where(FIRINGS.c.id == changed.c.waiting_id)
        .values({name: changed.c[name] for name in MOVING}),
        remove=FIRINGS.delete().where(AMONG["postgresql"](FIRINGS.c.id, "ids")),
        given=lambda rows: {f"{name}_of_rows": [row[name] for row in rows] for name in rows[0]},
    )


def _unnested(columns: Mapping[str, sa.Column[Any]]) -> sa.TableValuedAlias:
    arrays = [
        sa.bindparam(f"{name}_of_rows", type_=postgresql.ARRAY(column.type))
        for name, column in columns.items()
    ]
    return sa.func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


def _on_sqlite() -> _Writes:
    """One row after the other."""
    return _Writes(
        add=lambda connection, rows: connection.execute(FIRINGS.insert(), rows),
        move=FIRINGS.update().where(FIRINGS.c.id == sa.bindparam("waiting_id")),
        remove=FIRINGS.delete().where(AMONG["sqlite"](FIRINGS.c.id, "ids")),
        given=list,
    )


_WRITES = {"postgresql": _on_postgresql(), "sqlite": _on_sqlite()}
