"""Firings that went off and are not said yet, in their log."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.ids import UserId
from reminders.adapters.action_rows import write_together
from reminders.adapters.budgets import spend
from reminders.adapters.guest_columns import GUESTS
from reminders.adapters.mapping import (
    LOG,
    MEMBERS,
    TASKS,
    Columns,
    Selected,
    member_of,
    task_of,
)
from reminders.adapters.plan_marks import mark
from reminders.adapters.settling import REASON, UNSETTLED, due_of, with_truth
from reminders.adapters.sql_digests import ITEMS
from reminders.adapters.superseding import SUPERSEDED
from reminders.budget import Ask
from reminders.event_saying import Around
from reminders.firing import DueFiring, Firing, FiringClass, Judgement, Outcome
from reminders.guest import Answer
from reminders.handed import Handed
from reminders.handover import PLANNED_OTHERWISE
from reminders.types import Member, Task

NOT_PLANNED_YET = timedelta(seconds=10)
"""So long before it was handed over a change may have been on its way, or waited for its plan."""


class SqlSayingStore:
    """One adapter for both databases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handed(self, handed: Sequence[Handed]) -> Sequence[tuple[DueFiring, Outcome]]:
        by_key = {each.dedupe_key: each for each in handed}
        recorded = sa.select(LOG, LOG.c.dedupe_key.label("id")).where(
            # The days are few, and lead to the rows.
            LOG.c.nominal_day.in_({each.day for each in handed}),
            LOG.c.dedupe_key.in_(by_key),
            ~SUPERSEDED,
            _LEFT_TO_DIGEST.is_(None),
        )
        async with self._database.reading() as connection:
            rows = list(await connection.execute(with_truth(recorded)))
        return [(_due(row, by_key[row.dedupe_key]), Outcome(row.outcome)) for row in rows]

    async def amend(
        self,
        judged: Sequence[tuple[DueFiring, Judgement]],
        *,
        together: Sequence[Sequence[Firing]] = (),
        now: datetime,
    ) -> None:
        back = [due.firing for due, judgement in judged if judgement.outcome in UNSETTLED]
        other = [each for each in judged if each[1].outcome not in UNSETTLED]
        items = [_item(due.firing, now) for due, judgement in judged if judgement.for_digest]
        async with self._database.transaction() as connection:
            await write_together(self._database, connection, together, now)
            if items:
                new = self._database.insert_new(ITEMS, on=["dedupe_key"])
                await connection.execute(new, items)
            if other:
                await connection.execute(
                    LOG.update()
                    .where(_RECORD)
                    .values(outcome=sa.bindparam("is"), reason=sa.bindparam("because")),
                    [
                        {
                            "on_day": due.firing.nominal_day,
                            "key": due.firing.dedupe_key,
                            "is": str(judgement.outcome),
                            "because": judgement.reason[:REASON],
                        }
                        for due, judgement in other
                    ],
                )
            if back:
                keys = [{"on_day": each.nominal_day, "key": each.dedupe_key} for each in back]
                await connection.execute(_GIVE_BACK, keys)
                await mark(connection, {each.event_id for each in back}, now)

    async def around(self, event_ids: Collection[UUID]) -> Mapping[UUID, Around]:
        members = sa.select(MEMBERS).where(MEMBERS.c.event_id.in_(event_ids))
        waiting = sa.select(TASKS).where(
            TASKS.c.event_id.in_(event_ids), TASKS.c.done_at.is_(None), TASKS.c.deleted_at.is_(None)
        )
        answered = (
            sa.select(GUESTS.c.event_id, GUESTS.c.part, GUESTS.c.answer, sa.func.count().label("n"))
            .where(GUESTS.c.event_id.in_(event_ids))
            .group_by(GUESTS.c.event_id, GUESTS.c.part, GUESTS.c.answer)
        )
        in_event: dict[UUID, dict[UserId, Member]] = defaultdict(dict)
        open_tasks: dict[UUID, list[Task]] = defaultdict(list)
        answers: dict[UUID, dict[str, dict[Answer, int]]] = defaultdict(lambda: defaultdict(dict))
        async with self._database.reading() as connection:
            for row in await connection.execute(members):
                in_event[row.event_id][UserId(row.user_id)] = member_of(row)
            for row in await connection.execute(waiting.order_by(TASKS.c.created_at)):
                open_tasks[row.event_id].append(task_of(row))
            for row in await connection.execute(answered):
                answers[row.event_id][row.part][Answer(row.answer)] = row.n
        return {key: Around(in_event[key], open_tasks[key], answers[key]) for key in event_ids}

    async def spend(self, asks: Sequence[Ask]) -> set[bytes]:
        async with self._database.transaction() as connection:
            return await spend(self._database, connection, asks)


# Asked by key, however many there are.
_LEFT_TO_DIGEST = (
    sa.select(ITEMS.c.folded_at).where(ITEMS.c.dedupe_key == LOG.c.dedupe_key).scalar_subquery()
)

_RECORD = sa.and_(
    LOG.c.nominal_day == sa.bindparam("on_day"), LOG.c.dedupe_key == sa.bindparam("key")
)

# Whatever the plan makes of it, it is on record until then.
_GIVE_BACK = (
    LOG.update().where(_RECORD).values(outcome=str(Outcome.SUPERSEDED), reason=PLANNED_OTHERWISE)
)


def _item(firing: Firing, now: datetime) -> Columns:
    return {
        "dedupe_key": firing.dedupe_key,
        "user_id": firing.user_id,
        "event_id": firing.event_id,
        "task_id": firing.task_id,
        "nominal_day": firing.nominal_day,
        "folded_at": now,
    }


def _due(row: Selected, handed: Handed) -> DueFiring:
    changed_at = row.person__plans_changed_at
    changed = changed_at is not None and changed_at > row.decided_at - NOT_PLANNED_YET
    return replace(due_of(_firing(row, handed), row), changed=changed)


def _firing(row: Selected, handed: Handed) -> Firing:
    return Firing(
        dedupe_key=row.dedupe_key,
        due_at=row.due_at,
        nominal_day=row.nominal_day,
        event_id=row.event_id,
        task_id=row.task_id,
        rule_id=row.rule_id,
        user_id=UserId(row.user_id),
        firing_class=FiringClass(row.firing_class),
        grace=timedelta(seconds=handed.grace),
        useful_until=handed.useful_until_at,
        zone=handed.zone,
        event_version=handed.event_version,
        task_version=handed.task_version,
    )
