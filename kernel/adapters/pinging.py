"""Connections that may have been lost while they rested are asked before they are used."""

from typing import Any

import sqlalchemy as sa

from kernel.clock import SystemClock

RESTED = 1.0
"""Seconds without use after which a connection is asked whether it is still there.

A busy pool asks nothing, which is a trip to the server less for each statement. A server that
went away meanwhile is met by the statements of this one second, as `Unavailable`.
"""


def ping_when_rested(engine: sa.Engine) -> None:
    """Let the pool of `engine` replace connections that do not answer any more."""
    now = SystemClock().monotonic

    @sa.event.listens_for(engine, "checkin")
    def _back(_connection: Any, record: Any) -> None:
        record.info["rests_since"] = now()

    @sa.event.listens_for(engine, "checkout")
    def _ask(connection: Any, record: Any, _proxy: Any) -> None:
        rests_since = record.info.get("rests_since")
        if rests_since is None or now() - rests_since < RESTED:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            if not engine.dialect.is_disconnect(error, connection, None):
                raise
            # What one of them missed, the others did too.
            raise sa.exc.InvalidatePoolError from error
