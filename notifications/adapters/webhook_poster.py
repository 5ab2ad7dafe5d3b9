"""Speaks to webhooks over one shared aiohttp session, and to no private network."""

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from kernel.errors import InvalidInput
from notifications.adapters.public_addresses import PrivateAddress, Resolver
from notifications.endpoints import is_trusted, origin_of
from notifications.webhooks.types import Answer
from notifications.webhooks.webhooks import WebhookOptions

_ANSWER_BYTES = 65_536


class HttpPoster:
    """One call is one try. Redirects are not followed: they would lead past the guard."""

    def __init__(self, options: WebhookOptions) -> None:
        self._options = options
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        options = self._options
        own = [urlsplit(each) for each in options.own_origins]
        ports = {"https": 443, "http": 80}
        trusted = frozenset((each.hostname or "", each.port or ports[each.scheme]) for each in own)
        connector = aiohttp.TCPConnector(
            limit=100,
            resolver=Resolver(trusted=trusted),
            ttl_dns_cache=60,
            ssl=ssl.create_default_context(cafile=options.ca_file or None),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=options.deadline),
        )

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        assert self._session is not None, "open() comes first"
        try:
            # The settings may have changed since it was written down.
            if not is_trusted(url, self._options.own_origins):
                origin_of(url, field="url")
            async with self._session.post(
                URL(url, encoded=True),
                data=body,
                headers={**headers, "content-type": "application/json"},
                allow_redirects=False,
            ) as answer:
                # Read, so that the connection can be used again; what it says does not matter.
                await answer.content.read(_ANSWER_BYTES)
                return Answer(answer.status)
        except InvalidInput as refused:
            return Answer(0, refused.message)
        except (aiohttp.ClientError, TimeoutError, OSError) as failed:
            if isinstance(getattr(failed, "os_error", None), PrivateAddress):
                return Answer(0, "the address is in a private network")
            return Answer(0, f"{type(failed).__name__}: {failed}".rstrip(": "))
