"""Reads the logs of channels that missed something: what the bus lost, the log still has."""

import asyncio

from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.outbox import RETENTION, Outbox
from kernel.workers import Stop, repeat
from messaging.access import Access
from messaging.channels.names import conversation_of, left_channel_of
from messaging.delivery.following import Following
from messaging.delivery.live import LiveChannel
from messaging.hub import Hub
from messaging.nodes.control import LEFT, Unsubscribe
from messaging.ports import Streams

AT_ONCE = 8
"""Logs that are read at the same time."""


class CatchUp:
    """Finds three kinds of loss: a hole before a publication, a gap in hearing, and silence.

    Silence is the worst: when the last publication of a channel is lost, nothing that comes
    later shows it. So the outbox is asked every few seconds which streams grew, one question
    for all channels of the node.
    """

    name = "catch-up"

    def __init__(
        self,
        *,
        hub: Hub,
        following: Following,
        streams: Streams,
        outbox: Outbox,
        access: Access,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._hub = hub
        self._following = following
        self._streams = streams
        self._outbox = outbox
        self._access = access
        self._clock = clock
        self._options = following.options
        self._cursor: int | None = None
        self._polled_at = float("-inf")
        self._compared_at = clock.monotonic()
        self._reads = metrics.counter(
            "messaging_log_reads_total", "Reads of a channel's log.", ["cause"]
        ).labels("behind")

    async def run(self, stop: Stop) -> None:
        await repeat(
            self.step,
            clock=self._clock,
            stop=stop,
            idle=self._options.poll_seconds,
            pulse=self._following.pulse,
        )

    async def step(self) -> int:
        """Make up for what was missed; how many channels were looked at."""
        await self._poll()
        if self._hub.unchecked or self._hub.doubted:
            await self._check_listeners()
        looked = await self._check_suspects()
        behind = list(self._following.behind)
        for start in range(0, len(behind), AT_ONCE):
            async with asyncio.TaskGroup() as group:
                for live in behind[start : start + AT_ONCE]:
                    group.create_task(self._read_on(live))
        await self._following.unfollow_idle()
        return looked + len(behind)

    async def _poll(self) -> None:
        """Ask which streams grew since the last time."""
        now = self._clock.monotonic()
        waited = now - self._polled_at
        if waited < self._options.poll_seconds:
            return
        # Entries older than this may be gone, and with them the news of streams that grew.
        too_long = waited > RETENTION.total_seconds() / 2
        if self._cursor is None or too_long:
            self._cursor = (await self._outbox.moved(None)).cursor
            self._following.suspect(list(self._following))
            self._hub.unchecked = True
        else:
            moved = await self._outbox.moved(self._cursor)
            for channel, offset in moved.offsets.items():
                left = left_channel_of(channel)
                if left is not None:
                    self._hub.doubted.add(left)
                live = self._following.find(channel)
                if live is not None and live.ordering is not None:
                    live.ordering.heard_of(offset)
                    if live.behind:
                        self._following.lies_behind(live)
            self._cursor = moved.cursor
        self._polled_at = now
        if now - self._compared_at >= self._options.compare_seconds:
            # The outbox tells of conversations only.
            self._compared_at = now
            self._following.suspect(
                [live for live in self._following if conversation_of(live.name) is None]
            )

    async def _check_suspects(self) -> int:
        """Compare the places of channels that may have missed something with their logs."""
        # Channels that are not open yet look at their top themselves, and stay suspects until
        # they have: they may have begun with another listener than the present one.
        opened = [live for live in self._following.suspects if live.ready.done()]
        suspects = [live for live in opened if live.ordering is not None]
        # Whoever becomes suspect from now on, also again, is looked at by the next step.
        for live in opened:
            self._following.suspects.pop(live, None)
        if suspects:
            places = [live.ordering.offset for live in suspects if live.ordering is not None]
            try:
                tops = await self._streams.tops([live.name for live in suspects])
            except BaseException:
                self._following.suspect(suspects)
                raise
            # A channel may have moved on while its top was looked up, so its place from before
            # is what the top must reach.
            for live, place in zip(suspects, places, strict=True):
                top = tops.get(live.name)
                assert live.ordering is not None
                if top is None or top.epoch != live.ordering.epoch or top.offset < place:
                    # This is not the log that the channel was at.
                    self._hub.restart(live)
                else:
                    live.ordering.heard_of(top.offset)
                    if live.behind:
                        self._following.lies_behind(live)
        return len(suspects)

    async def _read_on(self, live: LiveChannel) -> None:
        """Read a log from where the channel is, and let what it holds go out."""
        while live.behind and self._following.find(live.name) is live:
            ordering = live.ordering
            assert ordering is not None
            if ordering.known - ordering.offset > self._options.behind:
                self._hub.restart(live)
                return
            self._reads.inc()
            known, offset = ordering.known, ordering.offset
            found = await self._streams.since(live.name, offset=offset, limit=self._options.page)
            for publication in found:
                self._hub.hear(live, publication)
            if found and found[-1].position != ordering.position and ordering.offset == offset:
                # What should come next is no longer in the log, or it is another log.
                self._hub.restart(live)
                return
            if not found and ordering.known == known:
                ordering.nothing_more()
        self._following.behind.pop(live, None)

    async def _check_listeners(self) -> None:
        """Orders may have been missed: end the subscriptions of those who may not listen.

        Also those that are being set up: they may have been allowed before they were not.
        """
        hub = self._hub
        unchecked, doubted = hub.unchecked, hub.doubted
        hub.unchecked, hub.doubted = False, set()
        try:
            listeners = hub.roster.listeners(None if unchecked else doubted)
            strangers = await self._access.strangers(listeners)
        except BaseException:
            hub.unchecked, hub.doubted = hub.unchecked or unchecked, hub.doubted | doubted
            raise
        for channel, user_ids in strangers.items():
            for user_id in user_ids:
                hub.obey(Unsubscribe(user_id=user_id, channel=channel, code=LEFT))
