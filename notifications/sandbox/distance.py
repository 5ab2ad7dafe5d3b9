"""How far away the sandbox's services seem to be: a latency that varies as a real one does."""

import dataclasses
import random
from collections.abc import Awaitable
from typing import Any

from notifications.sandbox.http import Request, Response, Service, Traits

_SPREAD = 0.5
"""Sigma of the log-normal distribution: one answer in twenty takes more than twice the median."""


class Distant:
    """A service as seen over a network: each answer takes its time, and so may each connection."""

    def __init__(
        self, service: Service, *, latency: float, window: int, connect: float = 0.0
    ) -> None:
        self._service = service
        self._latency = latency
        self._window = window
        self._connect = connect
        # Drawn in a fixed order, so that two runs meet the same network.
        self._dice = random.Random(1)  # noqa: S311

    @property
    def traits(self) -> Traits:
        return dataclasses.replace(self._service.traits, window=self._window, connect=self._connect)

    def session(self) -> Any:
        return self._service.session()

    def answer(self, request: Request) -> Response | Awaitable[Response]:
        answer = self._service.answer(request)
        if not self._latency or not isinstance(answer, Response):
            return answer
        travelled = self._latency * self._dice.lognormvariate(0.0, _SPREAD)
        return dataclasses.replace(answer, delay=answer.delay + travelled)
