"""Notifications' values: notice → notification → push → attempt → outcome → report.

Those of a push on its way to a device are in `notifications/pushes.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Urgency

DEFAULT_APP = "default"
"""The app of whoever names none. It is always there; its credentials may be in the settings."""


class AddressKind(StrEnum):
    """What kind of address a device has, and with it which provider carries its pushes."""

    FCM_TOKEN = "fcm_token"
    FCM_FID = "fcm_fid"
    FCM_TOPIC = "fcm_topic"
    """Everybody whose app subscribed to it at FCM; no device has such an address."""
    FCM_CONDITION = "fcm_condition"
    """As a topic, for a formula such as `'a' in topics && 'b' in topics`."""
    APNS = "apns"
    WEBPUSH = "webpush"
    """A browser's subscription as JSON; see `notifications/subscriptions.py`."""


class Environment(StrEnum):
    """Which of APNs' two worlds an address belongs to; FCM has only production."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"


class Platform(StrEnum):
    """What the device runs."""

    ANDROID = "android"
    IOS = "ios"
    WEB = "web"


class Permission(StrEnum):
    """Whether the user lets the app show notifications, as the app says of itself."""

    UNKNOWN = "unknown"
    """The app did not say; it is treated as if it were granted."""
    GRANTED = "granted"
    PROVISIONAL = "provisional"
    """iOS delivers quietly, until the user decides."""
    DENIED = "denied"


class Route(StrEnum):
    """A way to a provider. Each app has its own, and what goes wrong on one stays there."""

    FCM = "fcm"
    APNS = "apns"
    APNS_SANDBOX = "apns_sandbox"
    WEBPUSH = "webpush"


def route_of(kind: AddressKind, environment: Environment) -> Route:
    """The way on which an address is reached."""
    if kind is AddressKind.WEBPUSH:
        return Route.WEBPUSH
    if kind is not AddressKind.APNS:
        return Route.FCM
    return Route.APNS if environment is Environment.PRODUCTION else Route.APNS_SANDBOX


@dataclass(frozen=True, slots=True)
class Registration:
    """What an app says of itself at each start: the whole state, never a change to it."""

    installation_id: str
    address_kind: AddressKind
    address: str = field(repr=False)
    environment: Environment
    platform: Platform
    locale: str
    time_zone: str
    app_version: str
    app_id: str = DEFAULT_APP
    permission: Permission = Permission.UNKNOWN


@dataclass(frozen=True, slots=True)
class Device:
    """One installation of an app that can receive pushes.

    `confirmed_at` is the last registration; each one raises `generation`, so that an answer
    to an earlier push cannot disable an address that has been confirmed since. `accepted_at`
    is when a provider last took a push for it, to within a day. `app_id` names the app whose
    credentials reach it.
    """

    id: UUID
    user_id: UserId
    installation_id: str
    address_kind: AddressKind
    address: str = field(repr=False)
    environment: Environment
    platform: Platform
    locale: str
    time_zone: str
    app_version: str
    generation: int
    confirmed_at: datetime
    disabled_at: datetime | None = None
    disabled_reason: str = ""
    accepted_at: datetime | None = None
    app_id: str = DEFAULT_APP
    permission: Permission = Permission.UNKNOWN

    @property
    def route(self) -> Route:
        return route_of(self.address_kind, self.environment)


@dataclass(frozen=True, slots=True)
class TokenFault:
    """A provider refused an address that had this generation when the push was sent."""

    device_id: UUID
    generation: int
    reason: str
    invalid_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A button of a notification. `link` is what opens when it is tapped; the app's own if none."""

    id: str
    title: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A notification's words in one language, and what is offered beside them.

    Every text in it, also in the providers' own fields, is a message in ICU's MessageFormat:
    `{name}` stands for a variable.
    """

    title: str
    body: str
    link: str = ""
    image: str = ""
    actions: tuple[Action, ...] = ()
    apple: Mapping[str, Any] = field(default_factory=dict)
    android: Mapping[str, Any] = field(default_factory=dict)
    web: Mapping[str, Any] = field(default_factory=dict)


class PushKind(StrEnum):
    """What a push is for. Only iOS knows all of them; elsewhere each but alerts is silent."""

    ALERT = "alert"
    BACKGROUND = "background"
    """Wakes the app and shows nothing."""
    VOIP = "voip"
    COMPLICATION = "complication"
    FILE_PROVIDER = "fileprovider"
    LOCATION = "location"
    LIVE_ACTIVITY = "liveactivity"
    PUSH_TO_TALK = "pushtotalk"
    WIDGETS = "widgets"
    CONTROLS = "controls"


@dataclass(frozen=True, slots=True)
class Content:
    """What the user sees, after template and locale. `data` reaches the app as it is.

    `image` is the https address of a picture, `actions` are buttons. `now_or_never`: a device
    that cannot be reached at once shall not get it later. `label` groups pushes in a
    provider's statistics. `apple_priority` is APNs' 1, 5 or 10 in place of ours. A live
    activity may have an address of its own, `live_activity_token`. `apple` has further keys of
    the `aps` dictionary, `android` further fields of FCM's `android` block, `web` further
    options of a browser's notification; they win over what we say.
    """

    title: str
    body: str
    data: Mapping[str, str] = field(default_factory=dict)
    link: str = ""
    thread: str = ""
    category: str = ""
    badge: int | None = None
    kind: PushKind = PushKind.ALERT
    image: str = ""
    now_or_never: bool = False
    label: str = ""
    apple: Mapping[str, Any] = field(default_factory=dict)
    android: Mapping[str, Any] = field(default_factory=dict)
    web: Mapping[str, Any] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    apple_priority: int = 0
    live_activity_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to a provider for a push: everything the provider's adapter needs.

    `push_id` is also the apns-id, so a repeat can be told from a new push. `collapse_key`
    makes repeats replace each other on the device.
    """

    push_id: UUID
    number: int
    address_kind: AddressKind
    address: str = field(repr=False)
    environment: Environment
    urgency: Urgency
    content: Content
    collapse_key: str
    expires_at: datetime
    report_id: str = ""
    """With it a device may report, without a login, what became of the push."""


class Verdict(StrEnum):
    """What a provider's answer means for the push."""

    ACCEPTED = "accepted"
    """The provider has it. That never means delivered."""
    REJECTED = "rejected"
    """It will never be accepted as it is."""
    TOKEN_GONE = "token_gone"
    """The address is no longer valid, and no configuration fault looks like this."""
    TOKEN_SUSPECT = "token_suspect"
    """The address was refused, but a wrong project, key or environment looks the same."""
    THROTTLED = "throttled"
    """Too much at the moment; `retry_after` and `scope` say for how long and for whom."""
    FAILED = "failed"
    """The provider failed; trying again later may work."""
    NOT_SENT = "not_sent"
    """The provider has certainly not seen it: safe to send again."""
    AMBIGUOUS = "ambiguous"
    """No answer: it may or may not have been accepted."""
    MISCONFIGURED = "misconfigured"
    """Our credentials or settings are wrong; no push will pass until they are mended."""


UNSENT = frozenset({Verdict.NOT_SENT, Verdict.MISCONFIGURED})
"""After these, the push certainly is on no device."""


class ThrottleScope(StrEnum):
    """Whom a provider wants to hear less of."""

    DEVICE = "device"
    CREDENTIAL = "credential"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A provider's answer to one attempt. `reason` is the provider's own word for it."""

    verdict: Verdict
    reason: str = ""
    provider_id: str = ""
    """How the provider names what it accepted."""
    retry_after: float | None = None
    """Seconds to wait, when the provider said so or its rules do."""
    scope: ThrottleScope | None = None
    invalid_since: datetime | None = None
    """APNs, with token_gone: when it learned that the address is invalid."""
    misplaced: bool = False
    """APNs: the address may belong to the other environment."""
    tries: int | None = None
    """After so many attempts the provider's rules let it be, when they say so."""
