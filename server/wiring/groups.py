"""The settings: every room's options, gathered under the names that operators see."""

from dataclasses import dataclass, field

from kernel.adapters.database import DatabaseOptions
from kernel.adapters.jwt import TokenOptions
from kernel.adapters.redis_options import RedisOptions
from kernel.relay import RelayOptions
from messaging.adapters.message_batches import BatchOptions
from messaging.api.options import ApiOptions
from messaging.channels.namespaces import ChannelSettings
from messaging.commands.connecting import ConnectingOptions
from messaging.commands.gate import GateOptions
from messaging.connections.departures import WireOptions
from messaging.connections.quotas import ConnectionOptions
from messaging.connections.rates import RateOptions
from messaging.conversations.bodies import MessageLimits
from messaging.conversations.conversations import ConversationLimits
from messaging.delivery.following import HubOptions
from messaging.nodes.nodes import NodeOptions
from messaging.presence.presence import PresenceOptions
from messaging.recovery.recovery import RecoveryOptions
from messaging.sockets.gateway import GatewayOptions
from messaging.standing.checks import StandingOptions
from messaging.standing.statuses import StatusOptions
from notifications.adapters.apns import ApnsOptions
from notifications.adapters.fcm import FcmOptions
from notifications.adapters.webpush import WebPushOptions
from notifications.apps.options import CredentialOptions
from notifications.campaign import CampaignOptions
from notifications.coalescing.options import CoalescingOptions
from notifications.deciding.categories import PreferenceOptions
from notifications.devices import DeviceOptions
from notifications.dispatcher import DispatcherOptions
from notifications.registry.options import CleanupOptions
from notifications.sandbox.options import SandboxOptions
from notifications.sends.limits import SendOptions
from notifications.templates.shelf import TemplateOptions
from notifications.throttle import ThrottleOptions
from notifications.upkeep import UpkeepOptions
from notifications.webhooks.webhooks import WebhookOptions
from reminders.digests.digester import DigestOptions
from reminders.feeds.feeds import FeedOptions
from reminders.imports.imports import ImportOptions
from reminders.planner import PlannerOptions
from reminders.scheduler import SchedulerOptions
from server.options import ServerOptions


@dataclass(frozen=True, slots=True)
class Settings:
    """One field for each group of options."""

    server: ServerOptions = field(default_factory=ServerOptions)
    database: DatabaseOptions = field(default_factory=DatabaseOptions)
    redis: RedisOptions = field(default_factory=RedisOptions)
    tokens: TokenOptions = field(default_factory=TokenOptions)
    subscription_tokens: TokenOptions = field(default_factory=TokenOptions)
    relay: RelayOptions = field(default_factory=RelayOptions)
    api: ApiOptions = field(default_factory=ApiOptions)
    connecting: ConnectingOptions = field(default_factory=ConnectingOptions)
    channels: ChannelSettings = field(default_factory=ChannelSettings)
    connections: ConnectionOptions = field(default_factory=ConnectionOptions)
    rates: RateOptions = field(default_factory=RateOptions)
    wire: WireOptions = field(default_factory=WireOptions)
    gateway: GatewayOptions = field(default_factory=GatewayOptions)
    gate: GateOptions = field(default_factory=GateOptions)
    hub: HubOptions = field(default_factory=HubOptions)
    recovery: RecoveryOptions = field(default_factory=RecoveryOptions)
    nodes: NodeOptions = field(default_factory=NodeOptions)
    standing: StandingOptions = field(default_factory=StandingOptions)
    status: StatusOptions = field(default_factory=StatusOptions)
    presence: PresenceOptions = field(default_factory=PresenceOptions)
    conversations: ConversationLimits = field(default_factory=ConversationLimits)
    messages: MessageLimits = field(default_factory=MessageLimits)
    ingest: BatchOptions = field(default_factory=BatchOptions)
    devices: DeviceOptions = field(default_factory=DeviceOptions)
    templates: TemplateOptions = field(default_factory=TemplateOptions)
    preferences: PreferenceOptions = field(default_factory=PreferenceOptions)
    coalescing: CoalescingOptions = field(default_factory=CoalescingOptions)
    sends: SendOptions = field(default_factory=SendOptions)
    dispatcher: DispatcherOptions = field(default_factory=DispatcherOptions)
    campaigns: CampaignOptions = field(default_factory=CampaignOptions)
    throttle: ThrottleOptions = field(default_factory=ThrottleOptions)
    upkeep: UpkeepOptions = field(default_factory=UpkeepOptions)
    fcm: FcmOptions = field(default_factory=FcmOptions)
    apns: ApnsOptions = field(default_factory=ApnsOptions)
    webpush: WebPushOptions = field(default_factory=WebPushOptions)
    credentials: CredentialOptions = field(default_factory=CredentialOptions)
    cleanup: CleanupOptions = field(default_factory=CleanupOptions)
    webhooks: WebhookOptions = field(default_factory=WebhookOptions)
    sandbox: SandboxOptions = field(default_factory=SandboxOptions)
    planner: PlannerOptions = field(default_factory=PlannerOptions)
    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    digests: DigestOptions = field(default_factory=DigestOptions)
    feeds: FeedOptions = field(default_factory=FeedOptions)
    imports: ImportOptions = field(default_factory=ImportOptions)

    def __post_init__(self) -> None:
        grace = self.connections.expiry_grace_seconds
        if grace < max(self.tokens.leeway_seconds, self.subscription_tokens.leeway_seconds):
            # A connection would be ended for a token that lets it in again at once, for ever.
            raise ValueError(
                "connections.expiry_grace_seconds must not be below leeway_seconds of tokens"
                " and subscription_tokens"
            )

    @property
    def embedded(self) -> bool:
        """Whether everything is in one process, on SQLite."""
        return self.database.url.startswith("sqlite:")

    @property
    def sandboxed(self) -> bool:
        """Whether pushes go to the emulator in this process."""
        if self.server.push != "auto":
            return self.server.push == "sandbox"
        real = self.fcm.key_file or self.apns.key_file or self.webpush.key_file
        return self.embedded and not real
