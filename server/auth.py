"""Who makes an HTTP request: a user with an access token, or a server with an API key."""

from starlette.requests import Request

from kernel.errors import Unauthenticated
from kernel.identity import ApiKeys, Principal, TokenVerifier


class Doorkeeper:
    """Turns credentials into principals. Each gateway takes one kind and refuses the other."""

    def __init__(self, *, tokens: TokenVerifier, api_keys: ApiKeys) -> None:
        self._tokens = tokens
        self._api_keys = api_keys

    async def user(self, request: Request) -> Principal:
        """The user whose access token came as `Authorization: Bearer …`."""
        scheme, credential = _authorization(request)
        if scheme != "bearer" or not credential:
            raise Unauthenticated("Send an access token: `Authorization: Bearer <token>`.")
        return await self._tokens.verify(credential)

    async def server(self, request: Request) -> Principal:
        """The server whose API key came as `X-API-Key` or in `Authorization`."""
        secret = request.headers.get("x-api-key", "").strip()
        if not secret:
            scheme, secret = _authorization(request)
            if scheme not in ("bearer", "apikey") or not secret:
                raise Unauthenticated("Send an API key: `X-API-Key: <key>`.")
        return await self._api_keys.verify(secret)


def _authorization(request: Request) -> tuple[str, str]:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return scheme.lower(), credential.strip()
