"""Access tokens as JSON Web Tokens: signed by the application, checked here."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import jwt
import msgspec

from kernel.adapters.claims import Said, everything_in, expiry_in, info_in, instant_of, said_in
from kernel.adapters.jwks import Key, PublishedKeys, key_in_pem
from kernel.adapters.jws import DIGESTS, header_of, signed_by_secret
from kernel.clock import Clock
from kernel.errors import TokenExpired, Unauthenticated, Unavailable
from kernel.identity import Claims, Principal
from kernel.ids import UserId, is_user_id
from kernel.options import option

ALGORITHMS = (
    *("HS256", "HS384", "HS512"),
    *("RS256", "RS384", "RS512"),
    *("ES256", "ES384", "ES512"),
    "EdDSA",
)
_TOKEN_CHARACTERS = 16_384
HEADS = 64
"""Heads of tokens that are remembered: applications sign with few keys."""
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """Who may sign access tokens. At least one source of keys is needed to accept any."""

    hmac_keys: tuple[str, ...] = option(
        (),
        "Secrets shared with the application, as ID:SECRET or :SECRET, of 32 bytes or more;"
        " several while one replaces another. The first signs the tokens of `zaffa token`.",
        secret=True,
    )
    public_key_files: tuple[str, ...] = option(
        (), "PEM files of the application's public keys, as ID:PATH or :PATH."
    )
    jwks_url: str = option("", "Where an identity provider publishes its keys (JWKS).")
    jwks_pause_seconds: float = option(
        30.0, "The key set is asked for at most once in this time, whatever tokens arrive."
    )
    jwks_age_seconds: float = option(
        3600.0, "A key set older than this is asked for again, so that withdrawn keys end."
    )
    algorithms: tuple[str, ...] = option(
        ("HS256", "RS256", "ES256", "EdDSA"), "Algorithms that tokens may be signed with."
    )
    audience: str = option("", "If set, tokens must name it in `aud`.")
    issuer: str = option("", "If set, tokens must name it in `iss`.")
    leeway_seconds: float = option(
        5.0, "How far the application's clock may be off before a token is refused."
    )

    def __post_init__(self) -> None:
        for each in self.hmac_keys:
            _, colon, secret = each.partition(":")
            if not colon or len(secret.encode()) < _SECRET_BYTES:
                raise ValueError(
                    f"hmac_keys must be ID:SECRET or :SECRET with {_SECRET_BYTES} bytes or more"
                )
        for each in self.public_key_files:
            if not each.partition(":")[2]:
                raise ValueError("public_key_files must be ID:PATH or :PATH")
        if self.jwks_url and not self.jwks_url.startswith(("https://", "http://")):
            raise ValueError("jwks_url must begin with https:// or http://")
        if self.jwks_pause_seconds <= 0:
            raise ValueError("jwks_pause_seconds must be above 0")
        if self.jwks_age_seconds < self.jwks_pause_seconds:
            raise ValueError("jwks_age_seconds must be at least jwks_pause_seconds")
        if not self.algorithms or not set(self.algorithms) <= set(ALGORITHMS):
            raise ValueError("algorithms must be some of " + ", ".join(ALGORITHMS))
        if self.leeway_seconds < 0:
            raise ValueError("leeway_seconds must not be negative")

    @property
    def has_keys(self) -> bool:
        """Whether any token can be accepted."""
        return bool(self.hmac_keys or self.public_key_files or self.jwks_url)


class JwtVerifier:
    """PyJWT checks signatures; what the claims say is decided here, by our own clock."""

    def __init__(self, options: TokenOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._leeway = timedelta(seconds=options.leeway_seconds)
        self._keys: list[Key] = [
            Key(key_id, "HS", secret.encode())
            for key_id, _, secret in (each.partition(":") for each in options.hmac_keys)
        ]
        self._secrets: dict[str, tuple[str, list[bytes]]] = {}
        """By the heads that tokens came with: the hash, and the secrets that may have signed."""
        self._published: PublishedKeys | None = None
        if options.jwks_url:
            self._published = PublishedKeys(
                options.jwks_url,
                clock=clock,
                pause_seconds=options.jwks_pause_seconds,
                age_seconds=options.jwks_age_seconds,
            )

    async def open(self) -> None:
        """Read the key files. Raises `OSError` or `ValueError` if one cannot be used."""
        for each in self._options.public_key_files:
            key_id, _, path = each.partition(":")
            try:
                pem = await asyncio.to_thread(Path(path).read_bytes)
                self._keys.append(key_in_pem(key_id, pem))
            except ValueError as error:
                raise ValueError(f"{path} holds no public key that can be used: {error}") from error

    def verify_at_once(self, token: str) -> Principal | None:
        payload = self._at_hand(token)
        return None if payload is None else self._principal(payload)

    async def verify(self, token: str) -> Principal:
        return self._principal(await self._payload(token))

    async def claims(self, token: str) -> Claims:
        payload = await self._payload(token)
        _, expires_at = self._current(payload)
        return Claims(payload, expires_at)

    async def _payload(self, token: str) -> bytes:
        """What a token says, if a key of ours signed it."""
        payload = self._at_hand(token)
        if payload is None and self._published is not None:
            payload = await self._by_published(self._published, token)
        if payload is None:
            raise _signed_by_nobody()
        return payload

    def _at_hand(self, token: str) -> bytes | None:
        """What a token says, if a key that is at hand signed it; None if a published one may have.

        Raises `Unauthenticated` if nobody can have.
        """
        head = token[: token.find(".")]
        known = self._secrets.get(head) if len(token) <= _TOKEN_CHARACTERS else None
        if known is not None and token.count(".") == 2 and token.isascii():
            digest, secrets = known
            for secret in secrets:
                if (payload := signed_by_secret(token, digest, secret)) is not None:
                    return payload
            raise _signed_by_nobody()
        algorithm, key_id = self._header(token)
        fitting = self._fitting(self._keys, algorithm, key_id)
        payload = _signed(token, algorithm, fitting)
        if payload is None and (self._published is None or algorithm in DIGESTS):
            raise _signed_by_nobody()
        if algorithm in DIGESTS and len(self._secrets) < HEADS:
            # Only a good token's head is remembered: strangers could make up any number.
            self._secrets[head] = DIGESTS[algorithm], [key.material for key in fitting]
        return payload

    def _header(self, token: str) -> tuple[str, str]:
        """The algorithm and the key's id (or "") that a token names."""
        if len(token) > _TOKEN_CHARACTERS:
            raise Unauthenticated("The access token is too long.")
        try:
            header = header_of(token)
        except ValueError:
            raise Unauthenticated("The access token is malformed.") from None
        if header.alg not in self._options.algorithms:
            raise Unauthenticated("The access token is signed with an algorithm not allowed here.")
        return header.alg, header.kid

    async def _by_published(self, published: PublishedKeys, token: str) -> bytes | None:
        algorithm, key_id = self._header(token)
        fitting = self._fitting(await published.keys(), algorithm, key_id)
        payload = _signed(token, algorithm, fitting)
        if payload is not None or any(key.id and key.id == key_id for key in fitting):
            return payload
        # The identity provider may have begun to use a new key.
        fresh = await published.refresh()
        fitting = self._fitting(await published.keys(), algorithm, key_id)
        payload = _signed(token, algorithm, fitting)
        if payload is None and not fresh:
            # A terminal refusal could put good clients offline for ever.
            raise Unavailable("The keys of access tokens cannot be asked for at the moment.")
        return payload

    @staticmethod
    def _fitting(keys: Sequence[Key], algorithm: str, key_id: str) -> list[Key]:
        return [key for key in keys if key.fits(algorithm, key_id)]

    def _principal(self, payload: bytes) -> Principal:
        claims, expires_at = self._current(payload)
        if claims.channel is not msgspec.UNSET:
            raise Unauthenticated("This is a subscription token, not an access token.")
        if claims.sub and not is_user_id(claims.sub):
            raise Unauthenticated("The access token names no user in `sub`.")
        return Principal(
            user_id=UserId(claims.sub),
            expires_at=expires_at,
            info=info_in(claims),
            claims=everything_in(payload),
        )

    def _current(self, payload: bytes) -> tuple[Said, datetime | None]:
        """The claims of a token for us that is in its time, and when what it proves ends."""
        try:
            claims = said_in(payload)
            begin = max(claims.nbf or 0, claims.iat or 0)
            begins = instant_of(begin) if begin else None
            ends = None if claims.exp is None else instant_of(claims.exp)
            expires_at = expiry_in(claims, ends)
        except (msgspec.DecodeError, OverflowError, OSError, ValueError):
            raise Unauthenticated("The access token holds claims that make no sense.") from None
        self._check_purpose(claims)
        now = self._clock.now()
        if begins is not None and now + self._leeway < begins:
            raise Unauthenticated("The access token is not valid yet.")
        if ends is not None and now - self._leeway >= ends:
            raise TokenExpired("The access token has expired.")
        if expires_at is not ends and expires_at is not None and now - self._leeway >= expires_at:
            raise TokenExpired("The access token has expired.")
        return claims, expires_at

    def _check_purpose(self, claims: Said) -> None:
        """Refuse a token that is good, but meant for somebody else."""
        options = self._options
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if options.audience and options.audience not in audiences:
            raise Unauthenticated("The access token is for another audience.")
        if options.issuer and options.issuer != claims.iss:
            raise Unauthenticated("The access token is from another issuer.")


def sign_token(
    options: TokenOptions,
    user_id: str,
    *,
    now: datetime,
    lifetime: timedelta,
    info: object = None,
) -> str:
    """A token for development and tests, signed with the first shared secret.

    Raises `LookupError` if there is none.
    """
    if not options.hmac_keys:
        raise LookupError("no hmac_keys are set, so only the application can sign tokens")
    key_id, _, secret = options.hmac_keys[0].partition(":")
    claims: dict[str, object] = {"sub": user_id, "iat": now, "exp": now + lifetime}
    if options.audience:
        claims["aud"] = options.audience
    if options.issuer:
        claims["iss"] = options.issuer
    if info is not None:
        claims["info"] = info
    headers = {"kid": key_id} if key_id else None
    return jwt.encode(claims, secret, algorithm="HS256", headers=headers)


def _signed(token: str, algorithm: str, keys: Sequence[Key]) -> bytes | None:
    """The payload, if one of `keys` signed it."""
    payload: bytes | None
    digest = DIGESTS.get(algorithm)
    for key in keys:
        if digest is not None:
            payload = signed_by_secret(token, digest, key.material)
            if payload is not None:
                return payload
            continue
        try:
            payload = jwt.PyJWS().decode(token, key.material, algorithms=[algorithm])
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        return payload
    return None


def _signed_by_nobody() -> Unauthenticated:
    return Unauthenticated("The access token is not signed with a key known here.")
