"""Short reads of SQLite: whoever asks in the same turn is answered in one trip to one thread.

The trip costs several times what a short statement does: waking the thread, getting the
interpreter there and back. Nobody waits for company: what was asked by the end of the turn goes.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

Rows = list[tuple[Any, ...]]


@dataclass(slots=True, eq=False)
class _Question:
    statement: str
    values: Sequence[Any]
    answer: "asyncio.Future[Rows]"
    found: Rows | Exception


class SqliteReads:
    """One connection in a thread of its own, which begins with the first question.

    Each statement is a transaction of its own, and sees whatever was committed before it was
    asked.
    """

    def __init__(
        self, engine: AsyncEngine, *, prepare: Callable[[sqlite3.Connection], None]
    ) -> None:
        """The connection is to what `engine` is for; making it is tried again after it failed."""
        self._engine = engine
        self._prepare = prepare
        self._asked: list[_Question] = []
        self._trips: SimpleQueue[list[_Question]] = SimpleQueue()
        self._thread: Thread | None = None

    async def fetch(self, statement: str, values: Sequence[Any]) -> Rows:
        """All rows of one short statement. Raises what the driver raises."""
        answer: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()
        if not self._asked:
            answer.get_loop().call_soon(self._go)
        self._asked.append(_Question(statement, values, answer, found=[]))
        return await answer

    async def close(self) -> None:
        """Let the thread end, after what was asked."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self._trips.put([])
            await asyncio.to_thread(thread.join)

    def _go(self) -> None:
        """Send what was asked in this turn."""
        if self._thread is None:
            # Whoever never closes us must not keep the process from ending.
            self._thread = Thread(target=self._work, name="sqlite-reads", daemon=True)
            self._thread.start()
        asked, self._asked = self._asked, []
        self._trips.put(asked)

    def _connect(self) -> sqlite3.Connection:
        arguments, options = self._engine.dialect.create_connect_args(self._engine.url)
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect
        connection = connect(*arguments, **options)
        self._prepare(connection)
        return connection

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        while questions := self._trips.get():
            for question in questions:
                try:
                    connection = connection or self._connect()
                    cursor = connection.execute(question.statement, question.values)
                    question.found = cursor.fetchall()
                except Exception as error:  # noqa: BLE001 - it is for those who ask to know
                    question.found = error
            with suppress(RuntimeError):  # The loop is closed: nobody waits any more.
                questions[0].answer.get_loop().call_soon_threadsafe(_tell, questions)
        if connection is not None:
            connection.close()


def prepare(connection: Any, *, wait: float, synchronous: str) -> None:
    """Set up a new connection to SQLite, the driver's own or SQLAlchemy's, as all are here."""
    # The driver's own transaction handling begins too late; ours is explicit.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(wait * 1000)}")
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone()[0] != "wal":
        # The file remembers it from the first migration on. Whoever asks for it while
        # another connects is told at once that the file is locked, however long it waits.
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(f"PRAGMA synchronous={synchronous}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _tell(questions: Sequence[_Question]) -> None:
    for question in questions:
        if question.answer.done():  # Who asked has gone away.
            continue
        if isinstance(question.found, Exception):
            question.answer.set_exception(question.found)
        else:
            question.answer.set_result(question.found)
