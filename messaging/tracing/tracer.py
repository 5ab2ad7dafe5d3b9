"""Looks at what a traced user's connections say and hear on this node, and who is in a channel."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kernel.bus import Bus, Publication
from kernel.clock import Clock
from kernel.ids import UserId
from kernel.limits import TokenBucket
from kernel.metrics import Metrics
from kernel.workers import Pulse, Stop, rest
from messaging.connections.connection import Connection
from messaging.connections.departures import Departures, Wire
from messaging.connections.roster import Roster
from messaging.protocol.codec import Codec
from messaging.tracing.events import EventKind, TraceEvent, answers_in, commands_in, shown
from messaging.tracing.news import Begin, End, Seen, news_of, to_node

AT_ONCE = 16
"""Traces of one node, at most."""

SILENCE = 10.0
"""Seconds without a word of the node that asked, after which a trace is over."""

EVENTS_PER_SECOND, EVENTS_BURST = 200.0, 500.0
"""What one trace shows of one node; the rest is counted."""

FLUSH_SECONDS = 0.1


@dataclass(eq=False, slots=True)
class _Trace:
    begin: Begin
    until: float
    budget: TokenBucket
    events: list[TraceEvent] = field(default_factory=list)
    dropped: int = 0


class Tracer:
    """A `Tap` that hangs there only while somebody traces. Also the worker that sends what it saw.

    It adds nothing to what connections do: what it cannot send in time, it counts.
    """

    name = "tracer"

    def __init__(
        self,
        *,
        node_id: str,
        roster: Roster,
        departures: Departures,
        bus: Bus,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._node_id = node_id
        self._roster = roster
        self._departures = departures
        self._bus = bus
        self._clock = clock
        self._pulse = Pulse()
        self._traces: dict[str, _Trace] = {}
        self._wires: dict[Wire, Connection] = {}
        """Of users who are traced."""
        self._running = metrics.gauge("messaging_traces", "Traces that this node takes part in.")

    # --- beginning and ending ------------------------------------------------------------------

    def take(self, publication: Publication) -> None:
        """Take news from the control channel, if they are about this."""
        news = news_of(publication)
        if isinstance(news, Begin):
            self._begin(news)
        elif isinstance(news, End):
            self._end(news.trace)

    async def run(self, stop: Stop) -> None:
        """Send what was seen until `stop` is asked."""
        try:
            while not stop.asked:
                seconds = FLUSH_SECONDS if self._traces else SILENCE
                await rest(seconds, clock=self._clock, stop=stop, pulse=self._pulse)
                self.flush()
        finally:
            for trace in list(self._traces):
                self._end(trace)

    def flush(self) -> None:
        """Send what was seen, and end what nobody asks for any more."""
        now = self._clock.monotonic()
        for number, trace in list(self._traces.items()):
            if trace.dropped:
                trace.events.append(self._event(EventKind.DROPPED, count=trace.dropped))
                trace.dropped = 0
            if trace.events:
                events, trace.events = trace.events, []
                self._bus.publish([to_node(trace.begin.asker, Seen(trace=number, events=events))])
            if now >= trace.until:
                self._end(number)

    def _begin(self, begin: Begin) -> None:
        now = self._clock.monotonic()
        there = self._traces.get(begin.trace)
        if there is not None:
            there.until = now + SILENCE
            return
        if len(self._traces) >= AT_ONCE:
            return
        budget = TokenBucket(EVENTS_PER_SECOND, EVENTS_BURST, at=now)
        trace = self._traces[begin.trace] = _Trace(begin, now + SILENCE, budget)
        self._settle()
        for connection in self._roster.of_user(UserId(begin.user_id)) if begin.user_id else ():
            self._note([trace], EventKind.CONNECTED, connection, **_about(connection))

    def _end(self, trace: str) -> None:
        if self._traces.pop(trace, None) is not None:
            self._settle()

    def _settle(self) -> None:
        """Hang there or not, and know whose connections are meant."""
        self._running.set(len(self._traces))
        users = {each.begin.user_id for each in self._traces.values()} - {""}
        self._wires = {
            connection.wire: connection
            for connection in self._roster
            if connection.user_id in users
        }
        self._departures.tap = self if self._traces else None
        self._pulse.beat()

    # --- the tap -------------------------------------------------------------------------------

    def entered(self, connection: Connection) -> None:
        traces = list(self._of_user(connection))
        if traces:
            self._wires[connection.wire] = connection
            self._note(traces, EventKind.CONNECTED, connection, **_about(connection))

    def heard(self, wire: Wire, frame: bytes) -> None:
        connection = self._wires.get(wire)
        if connection is not None:
            traces = list(self._of_user(connection))
            for command in commands_in(wire.codec, frame):
                self._note(traces, EventKind.COMMAND, connection, **shown(command))

    def answered(self, wire: Wire, answer: bytes) -> None:
        connection = self._wires.get(wire)
        if connection is not None:
            traces = list(self._of_user(connection))
            for value in answers_in(wire.codec, answer):
                self._note(traces, EventKind.ANSWER, connection, **shown(value))

    def pushed(self, wires: Collection[Wire], codec: Codec, encoded: bytes) -> None:
        for wire, connection in self._wires.items():
            if wire in wires:
                traces = list(self._of_user(connection))
                for value in answers_in(codec, encoded):
                    self._note(traces, EventKind.PUSH, connection, **shown(value))

    def joined(self, connection: Connection, channel: str) -> None:
        traces = self._of_either(connection, channel)
        self._note(traces, EventKind.SUBSCRIBED, connection, channel=channel)

    def quit(self, connection: Connection, channel: str) -> None:
        traces = self._of_either(connection, channel)
        self._note(traces, EventKind.UNSUBSCRIBED, connection, channel=channel)

    def closed(self, wire: Wire, code: int, reason: str) -> None:
        connection = self._wires.get(wire)
        if connection is not None:
            traces = self._of_user(connection)
            self._note(traces, EventKind.CLOSED, connection, code=int(code), reason=reason)

    def left(self, connection: Connection) -> None:
        if self._wires.pop(connection.wire, None) is not None:
            self._note(self._of_user(connection), EventKind.LEFT, connection)

    # --- shared --------------------------------------------------------------------------------

    def _of_user(self, connection: Connection) -> Iterator[_Trace]:
        for trace in self._traces.values():
            if trace.begin.user_id and trace.begin.user_id == connection.user_id:
                yield trace

    def _of_either(self, connection: Connection, channel: str) -> list[_Trace]:
        in_channel = [each for each in self._traces.values() if each.begin.channel == channel]
        return [*in_channel, *self._of_user(connection)]

    def _note(
        self, traces: Iterable[_Trace], kind: EventKind, connection: Connection, **more: Any
    ) -> None:
        event: TraceEvent | None = None
        for trace in traces:
            if trace.budget.take(self._clock.monotonic()):
                trace.dropped += 1
                continue
            if event is None:
                event = self._event(
                    kind, user_id=connection.user_id or "", client=connection.client, **more
                )
            trace.events.append(event)

    def _event(self, kind: EventKind, **more: Any) -> TraceEvent:
        return TraceEvent(at=self._clock.now(), node=self._node_id, kind=kind, **more)


def _about(connection: Connection) -> dict[str, Any]:
    """What a connection is."""
    caller = connection.caller
    assert caller is not None, "who entered has said what they are"
    return shown(
        {
            "transport": connection.wire.transport,
            "app_name": caller.app_name,
            "app_version": caller.app_version,
            "connected_at": caller.connected_at,
        }
    )
