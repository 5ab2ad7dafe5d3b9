"""Who makes an HTTP request: a user with an access token, or a server with an API key."""

import base64
import hmac
from collections.abc import Awaitable, Callable
from uuid import UUID

from starlette.requests import Request

from kernel.errors import Unauthenticated
from kernel.identity import ANONYMOUS, ApiKeys, Principal, Scope, TokenVerifier
from server.rates import Rates, neighbourhood_of

INSECURE_KEY = "insecure"

_FIXED = Principal(
    key_id=UUID(int=0), scopes=frozenset({Scope.CHANNELS, Scope.USERS, Scope.OPERATE})
)
"""Whoever shows the fixed key, which has no entry among the others."""


class Doorkeeper:
    """Turns credentials into principals. Each gateway takes one kind and refuses the other.

    An address that keeps coming without good ones has to wait: checking them is work, and
    guessing must be slow.
    """

    def __init__(self, *, tokens: TokenVerifier, api_keys: ApiKeys, strangers: Rates) -> None:
        self._tokens = tokens
        self._api_keys = api_keys
        self._strangers = strangers

    async def anybody(self, request: Request) -> Principal:
        """Nobody by name; whoever asks is not looked at."""
        return Principal(user_id=ANONYMOUS)

    async def user(self, request: Request) -> Principal:
        """The user whose access token came as `Authorization: Bearer …`."""
        scheme, credential = _authorization(request)
        if scheme != "bearer" or not credential:
            raise Unauthenticated("Send an access token: `Authorization: Bearer <token>`.")
        return await self._admitted(request, self._tokens.verify, credential)

    async def server(self, request: Request, *, by_browser: bool = False) -> Principal:
        """The server whose API key came as `X-API-Key` or in `Authorization`.

        A browser may show it as a password where it asks for a page, and where one of our pages
        makes it ask. Nowhere else: it sends that by itself, also with what a stranger's page asks.
        """
        secret = request.headers.get("x-api-key", "").strip()
        if not secret:
            scheme, secret = _authorization(request)
            if scheme == "basic" and by_browser:
                scheme, secret = "apikey", _password(secret)
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


class ApiDoor:
    """Who asks the server API: a server with an API key, or with the fixed key of the settings.

    An insecure server lets in whoever shows no key, or `insecure`; but no web page, which
    somebody's browser may have loaded from anywhere.
    """

    def __init__(
        self, *, api_keys: ApiKeys, fixed_key: str, insecure: bool, strangers: Rates
    ) -> None:
        self._api_keys = api_keys
        self._fixed_key = fixed_key.encode()
        self._insecure = insecure
        self._strangers = strangers

    async def admit(self, key: str, *, address: str, from_page: bool) -> Principal:
        """The server that shows this key. Raises `Unauthenticated` or `RateLimited`."""
        if self._insecure and not from_page and key in ("", INSECURE_KEY):
            return _FIXED
        if not key:
            raise Unauthenticated("Send an API key: `X-API-Key: <key>`.")
        neighbourhood = neighbourhood_of(address)
        self._strangers.check(neighbourhood)
        # Nobody can tell from how long it takes how much of a guess was right.
        if self._fixed_key and hmac.compare_digest(key.encode(), self._fixed_key):
            return _FIXED
        try:
            return await self._api_keys.verify(key)
        except Unauthenticated:
            self._strangers.take(neighbourhood)
            raise


def is_from_own_page(request: Request) -> bool:
    """Whether a page of this very origin asks. Browsers say so, and no page can make them lie."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # Over plain HTTP they say no more than which origin it is.
    host = request.headers.get("origin", "").partition("://")[2]
    return bool(host) and host == request.headers.get("host")


def _password(credential: str) -> str:
    try:
        return base64.b64decode(credential, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _authorization(request: Request) -> tuple[str, str]:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return scheme.lower(), credential.strip()
