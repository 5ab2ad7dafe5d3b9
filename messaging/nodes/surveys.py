"""Surveys: one question to every living node, and what they answered in time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from kernel.bus import Bus, Publication
from kernel.errors import Refusal
from kernel.metrics import Metrics
from kernel.workers import Stop
from messaging.nodes.news import Answer, Ask, talk_of, to_all, to_node
from messaging.nodes.nodes import Nodes

log = logging.getLogger(__name__)

PIECE_BYTES = 262_144
"""Size of a publication that carries a piece of an answer, at most."""

ANSWER_BYTES = 16_777_216
"""Size of one node's answer, at most. More should be asked in pages."""

AT_ONCE = 64
"""Answers a node works on at the same time, at most."""

Handler = Callable[[bytes], Awaitable[bytes]]
"""Answers a question about what it is given; may raise a `Refusal`."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What came back, by node id. With nobody missing and no refusals it is the whole truth."""

    answers: Mapping[str, bytes]
    refused: Mapping[str, str]
    """Nodes that cannot answer, and why: an older version, say."""
    missing: frozenset[str]
    """Living nodes that were not heard in time."""

    @property
    def is_complete(self) -> bool:
        """Whether every living node answered."""
        return not self.refused and not self.missing


@dataclass(slots=True)
class _Open:
    """A survey that somebody still waits for."""

    waiting: set[str]
    complete: asyncio.Future[None]
    answers: dict[str, bytes] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    pieces: dict[str, list[bytes]] = field(default_factory=dict)

    def settle(self, node_id: str) -> None:
        """Nothing more comes from this node."""
        self.waiting.discard(node_id)
        self.pieces.pop(node_id, None)
        if not self.waiting and not self.complete.done():
            self.complete.set_result(None)


class Surveys:
    """Asks every node, and answers what others ask. A worker, because answering may wait."""

    name = "surveys"

    def __init__(self, *, nodes: Nodes, bus: Bus, metrics: Metrics) -> None:
        self._nodes = nodes
        self._bus = bus
        self._handlers: dict[str, Handler] = {}
        self._open: dict[str, _Open] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        made = metrics.counter(
            "messaging_surveys_total", "Questions to all nodes, by outcome.", ["outcome"]
        )
        self._complete, self._incomplete = made.labels("complete"), made.labels("incomplete")
        self._answered = metrics.counter(
            "messaging_survey_answers_total", "Answers to other nodes' questions.", ["outcome"]
        )
        nodes.on_gone.append(self._gone)

    def answer(self, question: str, handler: Handler) -> None:
        """From now on `handler` answers this question on this node."""
        assert question not in self._handlers, f"{question} is answered already"
        self._handlers[question] = handler

    async def survey(self, question: str, data: bytes = b"", *, timeout: float) -> Survey:
        """Ask every living node, this one included; wait for all of them, or for `timeout`."""
        me, number = self._nodes.node_id, uuid4().hex
        loop = asyncio.get_running_loop()
        asked = self._open[number] = _Open({me, *self._nodes.others()}, loop.create_future())
        ask = Ask(survey=number, asker=me, question=question, within=timeout)
        self._bus.publish([to_all(ask, data)])
        try:
            async with asyncio.timeout(timeout):
                answer, refused = await self._answer_of(question, data)
                self._take_whole(asked, me, answer, refused)
                await asked.complete
        except TimeoutError:
            log.info("survey incomplete", extra={"question": question, "missing": asked.waiting})
        finally:
            del self._open[number]
        made = Survey(asked.answers, asked.refused, frozenset(asked.waiting))
        (self._complete if made.is_complete else self._incomplete).inc()
        return made

    def take(self, publication: Publication) -> None:
        """Take what other nodes ask or answer, if it is that."""
        talk = talk_of(publication)
        if isinstance(talk, Answer):
            self._take_answer(talk, publication.extra)
        elif talk is not None and talk.asker != self._nodes.node_id and self._group is not None:
            if len(self._answering) >= AT_ONCE:
                self._reply(talk, None, "The node answers too many questions already.")
                return
            task = self._group.create_task(self._answer(talk, publication.extra))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def run(self, stop: Stop) -> None:
        """Answer others until `stop` is asked, and finish what is being answered then."""
        try:
            async with asyncio.TaskGroup() as self._group:
                await stop.wait()
        finally:
            self._group = None

    async def _answer(self, ask: Ask, data: bytes) -> None:
        try:
            async with asyncio.timeout(ask.within):
                answer, refused = await self._answer_of(ask.question, data)
        except TimeoutError:
            self._answered.labels("late").inc()
            return
        self._reply(ask, answer, refused)

    async def _answer_of(self, question: str, data: bytes) -> tuple[bytes | None, str]:
        """This node's answer, or why there is none."""
        handler = self._handlers.get(question)
        if handler is None:
            return None, "The node does not know this question."
        try:
            answer = await handler(data)
        except Refusal as refusal:
            return None, refusal.message
        if len(answer) > ANSWER_BYTES:
            return None, "The answer is too large."
        return answer, ""

    def _reply(self, ask: Ask, answer: bytes | None, refused: str) -> None:
        self._answered.labels("refused" if answer is None else "answered").inc()
        whole = answer or b""
        pieces = [whole[at : at + PIECE_BYTES] for at in range(0, len(whole), PIECE_BYTES)] or [b""]
        self._bus.publish(
            [
                to_node(
                    ask.asker,
                    Answer(
                        survey=ask.survey,
                        node_id=self._nodes.node_id,
                        piece=number,
                        is_last=number == len(pieces) - 1,
                        refused=refused,
                    ),
                    piece,
                )
                for number, piece in enumerate(pieces)
            ]
        )

    def _take_answer(self, answer: Answer, piece: bytes) -> None:
        asked = self._open.get(answer.survey)
        if asked is None or answer.node_id in asked.answers or answer.node_id in asked.refused:
            return
        pieces = asked.pieces.setdefault(answer.node_id, [])
        if answer.piece != len(pieces) or answer.piece > ANSWER_BYTES // PIECE_BYTES:
            return  # A piece was lost; the node will be missing.
        pieces.append(piece)
        if answer.is_last:
            whole = None if answer.refused else b"".join(pieces)
            self._take_whole(asked, answer.node_id, whole, answer.refused)

    def _take_whole(self, asked: _Open, node_id: str, answer: bytes | None, refused: str) -> None:
        if answer is None:
            asked.refused[node_id] = refused
        else:
            asked.answers[node_id] = answer
        asked.settle(node_id)

    def _gone(self, node_id: str) -> None:
        for asked in self._open.values():
            asked.settle(node_id)
