"""What one connection may do, and when it is given up."""

from dataclasses import dataclass

from kernel.options import option
from messaging.connections.rates import Bucket, Buckets
from messaging.protocol.server import Rules


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """What one connection may do, and when it is given up."""

    ping_seconds: int = option(25, "Seconds between pings. 0 sends none.")
    pong_seconds: float = option(8.0, "How long a client may take to answer a ping.")
    connect_seconds: float = option(
        15.0, "How long a new connection may take to say who it is. Slow networks need 10 or more."
    )
    expiry_grace_seconds: float = option(
        25.0,
        "How long after its token's end a connection, or a subscription, may still be refreshed;"
        " not less than the tokens' leeway, or clients come back with tokens still taken for good.",
    )
    channels: int = option(128, "Subscriptions of one connection.")
    commands_per_frame: int = option(512, "Commands that may arrive together.")
    commands_waiting: int = option(
        256, "Commands of one connection that may wait, before nothing more is read from it."
    )
    waiting_bytes: int = option(
        262_144, "Bytes of frames whose commands may wait, before nothing more is read either."
    )
    commands_per_second: float = option(
        100.0,
        "Commands that one connection may keep sending, unless `rates.connection` says so. 0 is no"
        " limit.",
    )
    commands_burst: float = option(400.0, "Commands that one connection may send at once.")
    rpcs_at_once: int = option(32, "Calls of one connection that may run at the same time.")

    def __post_init__(self) -> None:
        if self.channels < 1 or self.commands_waiting < 1 or self.rpcs_at_once < 1:
            raise ValueError("channels, commands_waiting and rpcs_at_once must be at least 1")
        if self.waiting_bytes < 1:
            raise ValueError("waiting_bytes must be at least 1")
        if self.commands_per_second < 0 or self.commands_burst < 1:
            raise ValueError("commands_per_second must not be negative, commands_burst at least 1")
        self.rules()

    def total(self) -> Buckets:
        """The bucket that all commands of one connection take from, if there is one."""
        if not self.commands_per_second:
            return ()
        burst = round(self.commands_burst)
        return (Bucket(burst, burst / self.commands_per_second),)

    def unheard_seconds(self) -> float:
        """How long a client may have been silent, at most, when it is given up."""
        return self.ping_seconds + self.pong_seconds

    def rules(self) -> Rules:
        """The part of it that the protocol enforces."""
        return Rules(
            ping_every=self.ping_seconds,
            pong_within=self.pong_seconds,
            connect_within=self.connect_seconds,
            expiry_grace=self.expiry_grace_seconds,
            commands_per_frame=self.commands_per_frame,
        )
