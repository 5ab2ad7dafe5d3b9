"""Where the nodes of a cluster meet: what operators say about Redis."""

from dataclasses import dataclass

from kernel.adapters.redis_address import RedisAddress, address_of
from kernel.options import option


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """Where the nodes of a cluster meet."""

    url: str = option(
        "",
        "Redis or Valkey: redis://USER:PASSWORD@HOST:PORT or unix:///PATH for one server,"
        " redis+sentinel://HOST:PORT,HOST:PORT/MASTER for a master that Sentinel names,"
        " redis+cluster://HOST:PORT,HOST:PORT for a Redis Cluster of version 7 or newer; with"
        " rediss instead of redis for TLS. Empty: this process is alone.",
        secret=True,
    )
    tls_ca: str = option(
        "", "File with the authorities that vouch for Redis. Empty: those of the system."
    )
    tls_certificate: str = option("", "File with the certificate chain we show to Redis.")
    tls_key: str = option("", "File with that certificate's private key.")
    tls_check_hostname: bool = option(
        True, "Whether Redis' certificate must name the host that we connect to."
    )
    sentinel_user: str = option("", "User name that the sentinels ask for, if they do.")
    sentinel_password: str = option(
        "", "Password that the sentinels ask for, if they do.", secret=True
    )
    prefix: str = option("zaffa:", "What its channel names begin with, if Redis is shared.")
    timeout_seconds: float = option(5.0, "How long Redis may take to connect or to answer.")
    silence_seconds: float = option(
        5.0,
        "After so much silence a subscription is probed; after twice as much, replaced. So often"
        " Sentinel and Cluster are asked who serves what, too.",
    )
    waiting: int = option(
        10_000, "Publications that wait for Redis, and that wait to be read, at most."
    )

    def __post_init__(self) -> None:
        if self.url:
            address_of(self.url)
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key belong together")
        if self.timeout_seconds <= 0:
            raise ValueError("timeout_seconds must be above 0")
        if self.silence_seconds <= 0:
            raise ValueError("silence_seconds must be above 0")
        if self.waiting < 1:
            raise ValueError("waiting must be at least 1")

    @property
    def address(self) -> RedisAddress:
        """What the URL says."""
        return address_of(self.url)
