"""Where the nodes of a cluster meet: what operators say about Redis."""

from dataclasses import dataclass

from redis.asyncio.connection import parse_url

from kernel.options import option


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """Where the nodes of a cluster meet."""

    url: str = option(
        "",
        "Redis or Valkey: redis://USER:PASSWORD@HOST:PORT, rediss:// for TLS, or unix://PATH."
        " Empty: this process is alone.",
        secret=True,
    )
    prefix: str = option("zaffa:", "What its channel names begin with, if Redis is shared.")
    timeout_seconds: float = option(5.0, "How long Redis may take to connect or to answer.")
    silence_seconds: float = option(
        5.0, "After so much silence a subscription is probed; after twice as much, replaced."
    )
    waiting: int = option(
        10_000, "Publications that wait for Redis, and that wait to be read, at most."
    )

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("url must begin with redis://, rediss:// or unix://")
        try:
            parse_url(self.url or "redis://")
        except ValueError:
            # Without the cause, which may quote a piece of the password.
            raise ValueError(
                "url cannot be read; special characters of a password are written as %XX"
            ) from None
        if self.timeout_seconds <= 0:
            raise ValueError("timeout_seconds must be above 0")
        if self.silence_seconds <= 0:
            raise ValueError("silence_seconds must be above 0")
        if self.waiting < 1:
            raise ValueError("waiting must be at least 1")
