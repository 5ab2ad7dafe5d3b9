"""Who makes an HTTP request: a user with an access token, or a server with an API key."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from kernel.errors import Unauthenticated
from kernel.identity import ApiKeys, Principal, TokenVerifier
from server.rates import Rates, neighbourhood_of


class Doorkeeper:
    """Turns credentials into principals. Each gateway takes one kind and refuses the other.

    An address that keeps coming without good ones has to wait: checking them is work, and
    guessing must be slow.
    """

    def __init__(self, *, tokens: TokenVerifier, api_keys: ApiKeys, strangers: Rates) -> None:
        self._tokens = tokens
        self._api_keys = api_keys
        self._strangers = strangers

    async def user(self, request: Request) -> Principal:
        """The user whose access token came as `Authorization: Bearer …`."""
        scheme, credential = _authorization(request)
        if scheme != "bearer" or not credential:
            raise Unauthenticated("Send an access token: `Authorization: Bearer <token>`.")
        return await self._admitted(request, self._tokens.verify, credential)

    async def server(self, request: Request) -> Principal:
        """The server whose API key came as `X-API-Key` or in `Authorization`."""
        secret = request.headers.get("x-api-key", "").strip()
        if not secret:
            scheme, secret = _authorization(request)
            if scheme not in ("bearer", "apikey") or not secret:
                raise Unauthenticated("Send an API key: `X-API-Key: <key>`.")
        return await self._admitted(request, self._api_keys.verify, secret)

    async def _admitted(
        self, request: Request, verify: Callable[[str], Awaitable[Principal]], credential: str
    ) -> Principal:
        address = neighbourhood_of(request.client.host if request.client else "")
        self._strangers.check(address)
        try:
            return await verify(credential)
        except Unauthenticated:
            self._strangers.take(address)
            raise


def _authorization(request: Request) -> tuple[str, str]:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return scheme.lower(), credential.strip()
