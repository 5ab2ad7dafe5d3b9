"""What must be true of pushes, one for each device, whatever befell those who sent them."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.notices import Urgency
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.push_settling import ATTEMPTS
from notifications.pushes import PushState
from notifications.sandbox.record import Arrival
from notifications.types import Device, Verdict

SENT = frozenset({PushState.ACCEPTED, PushState.AMBIGUOUS})
"""What a push ends as where providers refuse nothing."""


async def problems_of(
    database: Database,
    which: sa.ColumnElement[bool],
    devices: Sequence[Device],
    arrived: Sequence[Arrival],
) -> list[str]:
    """What a database and the sandbox say that must not be of the pushes of which `which` is so.

    Each device has one, with one outcome for each attempt. A campaign's came once, or nobody
    knows whether it came; any other came, and once more at most for each attempt in doubt.
    """
    columns = (PUSHES.c.id, PUSHES.c.device_id, PUSHES.c.state, PUSHES.c.reason)
    wanted = sa.select(*columns, PUSHES.c.urgency, PUSHES.c.attempts).where(which)
    outcomes = sa.select(ATTEMPTS.c.push_id, ATTEMPTS.c.verdict)
    async with database.reading() as connection:
        rows = list(await connection.execute(wanted))
        tried: Counter[UUID] = Counter()
        doubts: Counter[UUID] = Counter()
        for row in await connection.execute(outcomes):
            tried[row.push_id] += 1
            doubts[row.push_id] += row.verdict == Verdict.AMBIGUOUS
    copies = Counter(UUID(each.push_id) for each in arrived)
    problems: list[str] = []
    if Counter(row.device_id for row in rows) != Counter(device.id for device in devices):
        problems.append(f"{len(rows)} pushes for {len(devices)} devices")
    for row in rows:
        told = f"{row.urgency} {row.id}: {row.state} {row.reason}, {copies[row.id]} copies"
        if row.state not in SENT:
            problems.append(told)
        if tried[row.id] != row.attempts:
            problems.append(f"{told}, {tried[row.id]} outcomes of {row.attempts} attempts")
        least = int(row.urgency != Urgency.MARKETING or row.state == PushState.ACCEPTED)
        most = 1 if row.urgency == Urgency.MARKETING else 1 + doubts[row.id]
        if not least <= copies[row.id] <= most:
            problems.append(f"{told}, {doubts[row.id]} doubtful attempts")
    in_doubt = sum(row.state == PushState.AMBIGUOUS for row in rows)
    mine = sum(copies[row.id] for row in rows)
    print(f"{len(rows)} pushes, {mine} copies, {in_doubt} in doubt", flush=True)
    return problems
