"""What operators may set about the server itself: where it listens, how much it takes."""

from dataclasses import dataclass
from ipaddress import ip_address

from kernel.options import option

PUSHES = ("auto", "providers", "sandbox")
LOG_FORMATS = ("auto", "json", "human")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How one node is reached, and how it leaves."""

    host: str = option("127.0.0.1", "Address to listen on; 0.0.0.0 for every interface.")
    port: int = option(8000, "Port to listen on; 0 takes a free one.")
    public_url: str = option(
        "",
        "How clients reach the server, such as https://chat.example.dz; for pages, hints, and the"
        " links that guests opt out with, which need https.",
    )
    tls_certificate: str = option("", "File with the certificate chain, to speak TLS directly.")
    tls_key: str = option("", "File with the certificate's private key.")
    body_bytes: int = option(1_048_576, "Size of an HTTP request's body, at most.")
    head_seconds: float = option(10.0, "How long a client may take to send a request's headers.")
    body_seconds: float = option(30.0, "How long a client may take to send a request's body.")
    requests_per_second: float = option(
        50.0,
        "HTTP requests of one user or API key, on average, a key's calls over connections among"
        " them; more is answered with 429.",
    )
    requests_burst: int = option(200, "HTTP requests of one user or API key at once, at most.")
    failures_per_second: float = option(
        5.0, "HTTP requests of one address with bad credentials, on average; then it has to wait."
    )
    failures_burst: int = option(100, "HTTP requests of one address with bad credentials at once.")
    trusted_proxies: tuple[str, ...] = option(
        (),
        "Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are "
        "believed. Without them everybody behind a proxy counts as one address.",
    )
    drain_notice_seconds: float = option(
        0.0, "How long /readyz says no before connections are told to leave, for load balancers."
    )
    drain_spread_seconds: float = option(
        3.0, "Over how long connections are told to reconnect, so that not all come back at once."
    )
    drain_limit_seconds: float = option(
        20.0, "How long unfinished requests, and then unfinished steps, may hold up a node's end."
    )
    insecure: bool = option(
        False,
        "For development: clients without tokens may do everything in channels, and the server"
        " API takes the key `insecure`. Refuses to listen beyond this machine.",
    )
    insecure_anywhere: bool = option(
        False, "Let an insecure server listen beyond this machine all the same."
    )
    metrics_port: int = option(
        9180, "With --workers, node N answers /metrics on 127.0.0.1 at this port plus N."
    )
    push: str = option(
        "auto",
        "Where pushes go: providers (FCM, APNs, Web Push), sandbox (emulated in this process); "
        "auto is the sandbox on SQLite while no provider has credentials, else the providers.",
    )
    log_format: str = option(
        "auto", "json for machines, human for people, auto: human on a terminal, else json."
    )
    log_level: str = option("info", "The least urgent lines to write: debug, info, warning, error.")

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError("port must be from 0 to 65535")
        if not 0 < self.metrics_port <= 65_000:
            raise ValueError("metrics_port must be from 1 to 65000")
        if self.public_url and not self.public_url.startswith(("http://", "https://")):
            raise ValueError("public_url must begin with http:// or https://")
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_key must be set together with tls_certificate")
        if self.insecure and not self.insecure_anywhere and not _is_loopback(self.host):
            raise ValueError(
                "insecure must not be set while host is not of this machine, such as 127.0.0.1"
            )
        if self.body_bytes < 1_024:
            raise ValueError("body_bytes must be at least 1024")
        positive = ("head_seconds", "body_seconds", "requests_per_second", "failures_per_second")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0")
        for name in ("requests_burst", "failures_burst"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in ("drain_notice_seconds", "drain_spread_seconds", "drain_limit_seconds"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        if self.push not in PUSHES:
            raise ValueError("push must be one of " + ", ".join(PUSHES))
        if self.log_format not in LOG_FORMATS:
            raise ValueError("log_format must be one of " + ", ".join(LOG_FORMATS))
        if self.log_level not in LOG_LEVELS:
            raise ValueError("log_level must be one of " + ", ".join(LOG_LEVELS))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
