"""A store of pushes whose database goes away for a moment."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from notifications.ports import PushStore
from notifications.pushes import Settlement


class FailingStore:
    """The store, but one settlement fails."""

    def __init__(self, store: PushStore) -> None:
        self._store = store
        self.failed = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> frozenset[UUID]:
        if not self.failed.is_set():
            self.failed.set()
            raise ConnectionError("the database went away")
        return await self._store.settle(settlements, now=now)
