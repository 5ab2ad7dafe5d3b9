"""Providers of pushes, wired: from a credential to what shows it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from kernel.clock import SystemClock
from kernel.errors import InvalidInput
from kernel.notices import Urgency
from notifications.adapters import webpush_crypto
from notifications.adapters.apns import ApnsOptions, ApnsProvider
from notifications.adapters.fcm import FcmOptions, FcmProvider
from notifications.adapters.sql_apps import SqlApps
from notifications.adapters.webpush import WebPushOptions, WebPushProvider
from notifications.apps.book import CredentialBook
from notifications.apps.ports import CheckedProvider
from notifications.apps.reading import fcm_credential, webpush_credential
from notifications.apps.sealing import KeyRing, make_key
from notifications.apps.types import Credential, ProviderName
from notifications.sandbox.credentials import Files
from notifications.sandbox.options import SandboxOptions
from server.wiring.ground import Ground


class Providers:
    """Makes providers, and knows where credentials are."""

    def __init__(self, ground: Ground) -> None:
        settings = ground.settings
        self._clock = ground.clock
        self._fcm, self._apns, self._webpush = settings.fcm, settings.apns, settings.webpush
        if settings.sandboxed:
            self._fcm, self._apns = sandboxed(
                settings.sandbox, fcm=settings.fcm, apns=settings.apns
            )
            self._webpush = sandboxed_browsers(settings.sandbox, settings.webpush)
        self._read: dict[ProviderName, tuple[bytes, Credential]] = {}
        self.store = SqlApps(ground.database)
        self.ring = KeyRing(settings.credentials.keys)
        self.book = CredentialBook(store=self.store, ring=self.ring, settings=self.of_settings)

    def of_settings(self) -> Sequence[Credential]:
        """The credentials whose files the settings name. Raises OSError or ValueError."""
        return [*self._read_fcm(), *self._read_apns(), *self._read_webpush()]

    def make(self, credential: Credential) -> Mapping[Urgency, CheckedProvider]:
        """FCM and browsers have connections for each class: a campaign does not hold up a message.

        APNs has one provider for all, which keeps campaigns apart by itself: Apple refuses
        who makes tokens of one key too often, and each provider makes its own.
        """
        secret, details, clock = credential.secret, credential.details, self._clock
        match credential.provider:
            case ProviderName.FCM:
                return {
                    urgency: FcmProvider(self._fcm, clock=clock, account=secret)
                    for urgency in Urgency
                }
            case ProviderName.APNS:
                options = replace(
                    self._apns,
                    key_id=details["key_id"],
                    team_id=details["team_id"],
                    topic=details["topic"],
                )
                return dict.fromkeys(
                    Urgency, ApnsProvider(options, clock=clock, key=secret.decode())
                )
            case ProviderName.WEBPUSH:
                browsers = replace(self._webpush, subject=details["subject"])
                return {
                    urgency: WebPushProvider(browsers, clock=clock, key=secret)
                    for urgency in Urgency
                }

    def _read_fcm(self) -> list[Credential]:
        if not self._fcm.key_file:
            return []
        # Who may write the settings may send us anywhere.
        read = partial(fcm_credential, token_uris=["*"])
        return [self._once(ProviderName.FCM, self._fcm.key_file, read)]

    def _read_apns(self) -> list[Credential]:
        options = self._apns
        if not options.key_file:
            return []
        details = {name: getattr(options, name) for name in ("key_id", "team_id", "topic")}
        read = partial(Credential, ProviderName.APNS, details=details)
        return [self._once(ProviderName.APNS, options.key_file, read)]

    def _read_webpush(self) -> list[Credential]:
        options = self._webpush
        if not options.key_file:
            return []
        read = partial(webpush_credential, subject=options.subject)
        return [self._once(ProviderName.WEBPUSH, options.key_file, read)]

    def _once(
        self, provider: ProviderName, file: str, read: Callable[[bytes], Credential]
    ) -> Credential:
        """The credential in a file; one that did not change is not read anew: keys are long."""
        secret = Path(file).read_bytes()
        known = self._read.get(provider)
        if known is None or known[0] != secret:
            try:
                known = self._read[provider] = (secret, read(secret))
            except InvalidInput as wrong:
                rule = wrong.details["rule"]
                raise ValueError(f"{provider}.key_file ({file}) {rule}") from None
        return known[1]


def sandboxed(
    sandbox: SandboxOptions, *, fcm: FcmOptions, apns: ApnsOptions
) -> tuple[FcmOptions, ApnsOptions]:
    """The providers' options that lead to the emulator. Its ports must be fixed."""
    files = Files(Path(sandbox.directory))
    authority = str(files.authority)
    return (
        replace(
            fcm,
            key_file=str(files.service_account),
            endpoint=f"https://localhost:{sandbox.fcm_port}/v1/projects",
            ca_file=authority,
        ),
        replace(
            apns,
            key_file=str(files.apns_key),
            key_id=files.key_id,
            team_id=files.team_id,
            topic=files.topic,
            production=f"localhost:{sandbox.apns_port}",
            sandbox=f"localhost:{sandbox.apns_sandbox_port}",
            ca_file=authority,
        ),
    )


def sandboxed_browsers(sandbox: SandboxOptions, webpush: WebPushOptions) -> WebPushOptions:
    """Web Push's options that lead to the emulator, and to no browser's real service."""
    files = Files(Path(sandbox.directory))
    return replace(
        webpush,
        key_file=str(files.vapid_key),
        subject="mailto:sandbox@localhost",
        origins=(),
        own_service=f"https://localhost:{sandbox.webpush_port}",
        ca_file=str(files.authority),
    )


def make_vapid_key(path: Path) -> str:
    """Write a new key for Web Push; its public half. Raises FileExistsError, never overwrites."""
    return webpush_crypto.make_key(path)


def vapid_public_key(path: Path) -> str:
    """The public half of a key for Web Push. Raises ValueError or OSError when it is not one."""
    return webpush_crypto.Vapid(pem=path.read_bytes(), subject="", clock=SystemClock()).public_key


def make_sealing_key(key_id: str) -> str:
    """A new key for credentials, as the settings want it."""
    return make_key(key_id)
