"""The channels a node follows on the bus: opened together, let go after a while."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kernel.bus import Listener
from kernel.clock import Clock
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from kernel.options import option
from kernel.workers import Pulse
from messaging.connections.departures import Departures
from messaging.delivery.live import LiveChannel
from messaging.ports import Streams


@dataclass(frozen=True, slots=True)
class HubOptions:
    """How a node follows channels."""

    follow_seconds: float = option(
        3.0, "How long a subscription may wait for the bus before the client is asked to retry."
    )
    linger_seconds: float = option(
        5.0, "How long a channel is followed after its last listener left, in case they return."
    )
    poll_seconds: float = option(
        2.0, "Rest between looks at the database for publications that the bus lost."
    )
    compare_seconds: float = option(
        10.0,
        "Seconds between comparisons of channels with a history, conversations apart, with what"
        " the database has of them.",
    )
    page: int = option(200, "Publications read from a log at once.")
    behind: int = option(
        1000, "Publications a channel may lie behind its log before its listeners start anew."
    )

    def __post_init__(self) -> None:
        for name in ("follow_seconds", "linger_seconds", "poll_seconds", "compare_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        if self.page < 1 or self.behind < self.page:
            raise ValueError("page must be at least 1, behind at least page")


class Following:
    """The table of live channels, and the notes of which of them need a look at their log."""

    def __init__(
        self,
        *,
        streams: Streams,
        departures: Departures,
        clock: Clock,
        metrics: Metrics,
        options: HubOptions,
    ) -> None:
        self.options = options
        self.pulse = Pulse()
        """Beats when there is something for `CatchUp` to do."""
        self.behind: dict[LiveChannel, None] = {}
        """Channels whose log has more than went out."""
        self.suspects: dict[LiveChannel, None] = {}
        """Channels that may have missed something."""
        self._streams = streams
        self._departures = departures
        self._clock = clock
        self._channels: dict[str, LiveChannel] = {}
        self._listener: Listener | None = None
        self._asking = asyncio.Lock()
        self._opening: list[LiveChannel] = []
        self._opener: asyncio.Task[None] | None = None
        self._followed = metrics.gauge("messaging_channels", "Channels this node follows.")

    def __iter__(self) -> Iterator[LiveChannel]:
        """The channels that are followed now, safe against changes meanwhile."""
        return iter(list(self._channels.values()))

    def __len__(self) -> int:
        return len(self._channels)

    def find(self, channel: str) -> LiveChannel | None:
        """The channel, if it is followed."""
        return self._channels.get(channel)

    # --- what may be amiss ---------------------------------------------------------------------

    def suspect(self, channels: Sequence[LiveChannel]) -> None:
        """These may have missed something: their tops must be looked at."""
        if channels:
            self.suspects.update(dict.fromkeys(channels))
            self.pulse.beat()

    def lies_behind(self, live: LiveChannel) -> None:
        """The log of this channel must be read on."""
        self.behind[live] = None
        self.pulse.beat()

    def forget(self, live: LiveChannel) -> None:
        """The channel is over; whoever opens it again begins anew."""
        if self._channels.get(live.name) is live:
            del self._channels[live.name]
        self.behind.pop(live, None)
        self.suspects.pop(live, None)
        self._followed.set(len(self._channels))

    # --- the bus -------------------------------------------------------------------------------

    async def begin(self, listener: Listener, *, control: frozenset[str]) -> None:
        """Follow everything there is through a new listener; all of it may have missed news."""
        await listener.follow(control.union(self._channels))
        self._listener = listener
        self.suspect(list(self))

    def end(self) -> None:
        """There is no listener any more."""
        self._listener = None

    async def open(self, channel: str) -> LiveChannel:
        """The channel, followed and with a known position. Raises `Unavailable`.

        Channels that are opened in the same moment are followed and looked up together.
        """
        live = self._channels.get(channel)
        if live is None:
            kept = self._streams.kept(channel)
            live = LiveChannel(channel, self._departures, kept=kept, now=self._clock.monotonic)
            self._channels[channel] = live
            self._followed.set(len(self._channels))
            self._opening.append(live)
            if self._opener is None:
                self._opener = asyncio.create_task(self._open_all())
        live.idle_since = None
        try:
            if not live.ready.done():
                async with asyncio.timeout(self.options.follow_seconds):
                    await asyncio.shield(live.ready)
        except TimeoutError:
            raise Unavailable("The channel cannot be followed at the moment.") from None
        finally:
            if not live.listeners:
                live.idle_since = self._clock.monotonic()
        return live

    async def unfollow_idle(self) -> int:
        """Stop following channels that nobody has listened to for a while; how many."""
        before = self._clock.monotonic() - self.options.linger_seconds
        async with self._asking:
            idle = [
                live
                for live in self
                if live.ready.done() and live.idle_since is not None and live.idle_since <= before
            ]
            # Forgotten first: who comes now opens the channel anew, and follows it after this.
            for live in idle:
                self.forget(live)
            if idle and self._listener is not None:
                await self._listener.unfollow(frozenset(live.name for live in idle))
        return len(idle)

    async def _open_all(self) -> None:
        while self._opening:
            channels, self._opening = self._opening, []
            task = asyncio.create_task(self._follow(channels))
            await asyncio.wait({task})
            if task.cancelled():
                self._fail(channels, Unavailable("The server is shutting down."))
            elif (error := task.exception()) is not None:
                self._fail(channels, error)
        self._opener = None

    async def _follow(self, channels: Sequence[LiveChannel]) -> None:
        """Follow first and look afterwards: whatever is published in between is heard."""
        names = [live.name for live in channels]
        async with self._asking:
            if self._listener is None:
                raise Unavailable("The bus is not being listened to at the moment.")
            await self._listener.follow(frozenset(names))
        tops = await self._streams.tops(names)
        for live in channels:
            live.begin(tops.get(live.name))
            if live.behind:
                self.lies_behind(live)

    def _fail(self, channels: Sequence[LiveChannel], error: BaseException) -> None:
        for live in channels:
            self.forget(live)
            if not live.ready.done():
                live.ready.set_exception(error)
                # Whoever waited may have gone; then nobody asks for this exception.
                live.ready.exception()
