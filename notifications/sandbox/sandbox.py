"""The sandbox put together: open it, and there are push providers on this machine."""

import asyncio
import logging
from pathlib import Path

from kernel.clock import Clock
from notifications.sandbox.apns import ApnsService
from notifications.sandbox.apns_tokens import ProviderTokens
from notifications.sandbox.credentials import Files, apps_in, init, point_to
from notifications.sandbox.distance import Distant
from notifications.sandbox.faults import Faults
from notifications.sandbox.fcm import FcmService
from notifications.sandbox.http import Service
from notifications.sandbox.listener import Listener, server_tls
from notifications.sandbox.oauth import TokenEndpoint
from notifications.sandbox.options import SandboxOptions
from notifications.sandbox.page import PageService
from notifications.sandbox.record import Arrivals
from notifications.sandbox.webpush import WebPushService

log = logging.getLogger(__name__)


class Sandbox:
    """FCM, APNs, Web Push and the page. Ports and `files` are final once it is open."""

    def __init__(self, options: SandboxOptions, clock: Clock) -> None:
        self.arrivals = Arrivals(clock=clock, kept=options.kept, file=options.record_file)
        self.faults = Faults(clock=clock)
        self.oauth = TokenEndpoint(faults=self.faults, clock=clock)
        self.files = Files(Path(options.directory))
        self._options = options
        self._clock = clock
        self._tokens = ProviderTokens(clock=clock)
        self._fcm_service = FcmService(
            options=options,
            oauth=self.oauth,
            faults=self.faults,
            arrivals=self.arrivals,
            clock=clock,
        )
        self._apns_services = {
            environment: ApnsService(
                environment=environment,
                tokens=self._tokens,
                faults=self.faults,
                arrivals=self.arrivals,
                clock=clock,
            )
            for environment in ("production", "sandbox")
        }
        self.webpush = WebPushService(faults=self.faults, arrivals=self.arrivals, clock=clock)
        self._listeners: dict[str, Listener] = {}

    @property
    def page_url(self) -> str:
        """Where people see what arrived, and tests ask."""
        return f"http://{self._options.host}:{self._listeners['page'].port}/"

    @property
    def fcm_endpoint(self) -> str:
        """What `FcmOptions.endpoint` must be."""
        return f"https://localhost:{self._listeners['fcm'].port}/v1/projects"

    @property
    def apns_address(self) -> str:
        """What `ApnsOptions.production` must be."""
        return f"localhost:{self._listeners['apns'].port}"

    @property
    def apns_sandbox_address(self) -> str:
        """What `ApnsOptions.sandbox` must be."""
        return f"localhost:{self._listeners['apns_sandbox'].port}"

    @property
    def webpush_origin(self) -> str:
        """What `WebPushOptions.own_service` must be."""
        return f"https://localhost:{self._listeners['webpush'].port}"

    async def open(self) -> None:
        options = self._options
        # Making an RSA key takes a moment, and the loop may be serving already.
        self.files = await asyncio.to_thread(init, options.directory, fcm_port=options.fcm_port)
        tls = server_tls(str(self.files.certificate), str(self.files.certificate_key))
        page = PageService(
            arrivals=self.arrivals,
            faults=self.faults,
            oauth=self.oauth,
            counts=self.counts,
            subscribe=self.webpush.subscribe,
            clock=self._clock,
        )
        self.arrivals.open()
        self._listeners = {
            "page": Listener(page, host=options.host, port=options.page_port, tls=None),
            "fcm": Listener(
                self._far(self._fcm_service), host=options.host, port=options.fcm_port, tls=tls
            ),
            "apns": Listener(
                self._far(self._apns_services["production"]),
                host=options.host,
                port=options.apns_port,
                tls=tls,
            ),
            "apns_sandbox": Listener(
                self._far(self._apns_services["sandbox"]),
                host=options.host,
                port=options.apns_sandbox_port,
                tls=tls,
            ),
            "webpush": Listener(
                self._far(self.webpush), host=options.host, port=options.webpush_port, tls=tls
            ),
        }
        try:
            await self._listeners["fcm"].open()
            # Key files name the port; trust must be in place before the others answer.
            await self._listeners["webpush"].open()
            self.webpush.trust(self.files, origin=self.webpush_origin)
            for files in (self.files, *apps_in(options.directory)):
                point_to(files, fcm_port=self._listeners["fcm"].port)
                self.trust(files)
            for name in ("page", "apns", "apns_sandbox"):
                await self._listeners[name].open()
        except OSError:
            await self.close()
            raise
        log.info("sandbox opened", extra={"page": self.page_url})

    async def close(self) -> None:
        for listener in self._listeners.values():
            await listener.close()
        self.arrivals.close()

    def counts(self) -> dict[str, int]:
        """What `GET /status` tells."""
        connections = {
            f"{name}_connections": each.connections for name, each in self._listeners.items()
        }
        return {
            "accepted": self.arrivals.total,
            "bearers": self.oauth.issued,
            "faults": len(self.faults.listed()),
            **connections,
        }

    def _far(self, service: Service) -> Distant:
        """As seen over the network that the options describe."""
        options = self._options
        return Distant(
            service,
            latency=options.latency_ms / 1000,
            window=options.window_bytes,
            connect=options.connect_ms / 1000,
        )

    def trust(self, files: Files) -> None:
        """Take these credentials too, from now on."""
        self.oauth.trust(files)
        self._tokens.trust(files)
        self._fcm_service.trust(files)

    def revoke(self, files: Files) -> None:
        """Take these credentials no more."""
        self.oauth.revoke(files)
        self._tokens.revoke(files)
