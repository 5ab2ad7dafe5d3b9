"""The nodes of a cluster that hold connections: each says every few seconds that it lives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from kernel.bus import Bus, Publication
from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.options import option
from kernel.workers import Pulse, Stop, rest
from messaging.nodes.news import Gone, Here, NodeInfo, census_of, to_all
from messaging.types import NodeCounts

GREETING = 0.5
"""Seconds between greetings until one was heard, which shows that the others will be."""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """How the nodes of a cluster know each other."""

    name: str = option("", "What this node is called in lists. Empty: its host and port.")
    announce_seconds: float = option(3.0, "Seconds between two announcements of a node.")
    missing_seconds: float = option(
        10.0, "After so long without an announcement a node is not counted any more."
    )

    def __post_init__(self) -> None:
        if not 0 < self.announce_seconds < self.missing_seconds:
            raise ValueError("announce_seconds must be above 0 and below missing_seconds")


class Nodes:
    """Keeps the table of living nodes, this one included, on every one of them.

    What others announce comes to `take`, by way of the hub.
    """

    name = "nodes"

    def __init__(
        self,
        *,
        node_id: str,
        node_name: str,
        version: str,
        counts: Callable[[], NodeCounts],
        measures: Callable[[], Mapping[str, float]],
        bus: Bus,
        clock: Clock,
        metrics: Metrics,
        options: NodeOptions,
    ) -> None:
        self.node_id = node_id
        self.on_gone: list[Callable[[str], None]] = []
        """Who is told the id of a node that ended or fell silent."""
        self._node_name = node_name
        self._version = version
        self._counts = counts
        self._measures = measures
        self._bus = bus
        self._clock = clock
        self._options = options
        self._began_at = clock.monotonic()
        self._others: dict[str, NodeInfo] = {}
        self._heard_at: dict[str, float] = {}
        self._is_heard = False
        self._hearing_since = self._heard_myself_at = -inf
        self._asked = Pulse()
        self._living = metrics.gauge("messaging_nodes", "Living nodes that this one knows of.")
        self._living.set(1)

    def living(self) -> Sequence[NodeInfo]:
        """This node as it is now, and every other as it described itself last."""
        self._forget_silent()
        return [self._myself(), *self._others.values()]

    def others(self) -> frozenset[str]:
        """The ids of the other living nodes."""
        self._forget_silent()
        return frozenset(self._others)

    def may_live(self, node_id: str) -> bool:
        """Whether a node lives, for all that this one can tell.

        A node that has not heard a whole round of announcements, being new or cut off from the
        bus, knows nothing against anybody.
        """
        if node_id in self.others():
            return True
        now, options = self._clock.monotonic(), self._options
        is_cut_off = now - self._heard_myself_at > options.missing_seconds
        return is_cut_off or now - self._hearing_since < options.announce_seconds + GREETING

    def take(self, publication: Publication) -> None:
        """Take news from the control channel, if they are about nodes."""
        news = census_of(publication)
        if isinstance(news, Gone):
            self._forget(news.node_id)
        elif news is not None and news.node.id == self.node_id:
            self._is_heard = True
            now = self._clock.monotonic()
            if now - self._heard_myself_at > self._options.missing_seconds:
                self._hearing_since = now
            self._heard_myself_at = now
        elif news is not None:
            self._others[news.node.id] = news.node
            self._heard_at[news.node.id] = self._clock.monotonic()
            self._living.set(1 + len(self._others))
            if news.greeting:
                self._asked.beat()

    async def run(self, stop: Stop) -> None:
        """Announce this node until `stop` is asked; then say that it is gone."""
        self._is_heard = False
        try:
            while not stop.asked:
                self._bus.publish([to_all(Here(node=self._myself(), greeting=not self._is_heard))])
                every = self._options.announce_seconds
                seconds = every if self._is_heard else min(GREETING, every)
                await rest(seconds, clock=self._clock, stop=stop, pulse=self._asked)
                self._forget_silent()
        finally:
            self._bus.publish([to_all(Gone(node_id=self.node_id))])

    def _myself(self) -> NodeInfo:
        counts = self._counts()
        return NodeInfo(
            id=self.node_id,
            name=self._node_name,
            version=self._version,
            clients=counts.clients,
            users=counts.users,
            subscriptions=counts.subscriptions,
            channels=counts.channels,
            uptime_seconds=self._clock.monotonic() - self._began_at,
            measures=dict(self._measures()),
        )

    def _forget_silent(self) -> None:
        before = self._clock.monotonic() - self._options.missing_seconds
        for node_id in [node_id for node_id, at in self._heard_at.items() if at <= before]:
            self._forget(node_id)

    def _forget(self, node_id: str) -> None:
        if self._others.pop(node_id, None) is None:
            return
        del self._heard_at[node_id]
        self._living.set(1 + len(self._others))
        for tell in self.on_gone:
            tell(node_id)
