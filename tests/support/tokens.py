"""Access tokens as an application would make them."""

from datetime import datetime, timedelta

from kernel.adapters.jwt import TokenOptions, sign_token

SECRET = "a secret that only tests know, and 32 bytes long"
TOKEN_OPTIONS = TokenOptions(hmac_keys=(f":{SECRET}",))


def access_token(
    user_id: str,
    *,
    now: datetime,
    lifetime: timedelta = timedelta(hours=1),
    info: object = None,
) -> str:
    """A token that a `JwtVerifier` with `TOKEN_OPTIONS` accepts."""
    return sign_token(TOKEN_OPTIONS, user_id, now=now, lifetime=lifetime, info=info)
