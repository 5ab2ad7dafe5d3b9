"""pycent, the official library of back ends, behind one face for both of its clients."""

import asyncio
from typing import Any

import cent
from cent.client.session.aiohttp import AiohttpSession

KEY = "what only the back end knows"
"""The fixed key in the settings of the nodes that are judged."""

KINDS = ("sync", "async")


def request(method: str, **fields: Any) -> Any:
    """pycent's own request for a method, such as `PublishRequest`."""
    name = "".join(part.capitalize() for part in method.split("_"))
    return getattr(cent, f"{name}Request")(**fields)


class Pycent:
    """Calls methods by their names; answers are decoded by pycent's own models.

    Raises what pycent raises.
    """

    def __init__(self, kind: str, url: str, *, key: str = KEY) -> None:
        api = f"{url}/api"
        self._client: Any
        if kind == "sync":
            self._client = cent.Client(api, key)
        else:
            self._client = cent.AsyncClient(api, key)
        self._kind = kind

    async def __call__(self, method: str, **fields: Any) -> Any:
        return await self.ask(request(method, **fields))

    async def batch(self, *requests: Any, parallel: bool | None = None) -> list[Any]:
        """The results of several requests."""
        answer = await self.ask(cent.BatchRequest(requests=list(requests), parallel=parallel))
        replies: list[Any] = answer.replies
        return replies

    async def ask(self, asked: Any) -> Any:
        call = getattr(self._client, asked.__api_method__)
        if self._kind == "sync":
            return await asyncio.to_thread(call, asked)
        return await call(asked)

    async def close(self) -> None:
        if self._kind == "sync":
            self._client._session.close()
        else:
            session: AiohttpSession = self._client._session
            await session.close()
