"""What an operator may choose about the sandbox."""

from dataclasses import dataclass

from kernel.options import option


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Where the sandbox listens and what it keeps. A port of 0 is chosen by the system."""

    directory: str = option("sandbox", "Folder for the sandbox's certificates and credentials.")
    host: str = option("127.0.0.1", "Address to listen on; the certificate is for localhost.")
    page_port: int = option(8810, "Port of the page that lists pushes, and of its API.")
    fcm_port: int = option(8811, "TLS port of FCM and its token endpoint.")
    apns_port: int = option(8812, "TLS port of APNs, production environment.")
    apns_sandbox_port: int = option(8813, "TLS port of APNs, sandbox environment.")
    webpush_port: int = option(8814, "TLS port of the web push service.")
    kept: int = option(10_000, "Accepted pushes kept in memory; older ones are forgotten.")
    record_file: str = option("", "File to append every accepted push to, one JSON a line.")
    project_per_minute: int = option(600_000, "FCM's quota for the whole project, a minute.")
    device_per_minute: int = option(240, "FCM's quota for one device, a minute.")

    latency_ms: float = option(
        0.0, "Milliseconds until a push is answered: the median, around which answers vary."
    )
    connect_ms: float = option(
        0.0, "Milliseconds that a new connection waits before anything is said, TLS included."
    )
    window_bytes: int = option(
        65_535, "Flow-control window of one HTTP/2 stream; a real one may be smaller."
    )

    def __post_init__(self) -> None:
        ports = ("page_port", "fcm_port", "apns_port", "apns_sandbox_port", "webpush_port")
        for name in ports:
            if not 0 <= getattr(self, name) <= 65_535:
                raise ValueError(f"{name} must be between 0 and 65535")
        for name in ("latency_ms", "connect_ms"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0")
        if not 1 <= self.window_bytes <= 2**31 - 1:
            raise ValueError("window_bytes must be between 1 and 2147483647")
        for name in ("kept", "project_per_minute", "device_per_minute"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
