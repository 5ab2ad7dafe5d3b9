"""A house of stores in which servers send."""

from datetime import timedelta
from uuid import UUID

from kernel.adapters.sql_outbox import SqlOutbox
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import NOTICE
from kernel.relay import Relay, RelayOptions
from kernel.workers import Pulse
from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_census import SqlCensus
from notifications.adapters.sql_lists import SqlLists
from notifications.adapters.sql_send_ledger import SqlSendLedger
from notifications.adapters.sql_sends import SqlSends
from notifications.audit.types import AuditQuery
from notifications.sends.limits import LocalLimits, SendOptions
from notifications.sends.lists import Lists
from notifications.sends.rehearsal import Rehearsal
from notifications.sends.sends import Sends, SendWorker
from notifications.sends.types import Audience, Request
from tests.support.factories_notifications import AMINA, Room


class SendingRoom(Room):
    """The notifications of one database, with what servers ask of them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.store = SqlSends(self.database)
        self.list_store = SqlLists(self.database)
        self.lists = Lists(store=self.list_store, clock=self.clock)
        self.sends = Sends(
            store=self.store,
            ledger=SqlSendLedger(self.database),
            lists=self.list_store,
            pushes=self.ledger,
            shelf=self.shelf,
            limits=LocalLimits(SendOptions(), clock=self.clock),
            clock=self.clock,
            pulse=Pulse(),
            expanding=Pulse(),
        )
        self.rehearsal = Rehearsal(
            store=self.store,
            lists=self.list_store,
            devices=self.devices,
            census=SqlCensus(self.database),
            shelf=self.shelf,
            voices=self.voices,
            clock=self.clock,
        )
        self.worker = SendWorker(
            store=self.store,
            clock=self.clock,
            pulse=Pulse(),
            handed=Pulse(),
            kept=timedelta(days=7),
        )
        self.relay = Relay(
            outbox=SqlOutbox(self.database, self.clock),
            handlers={NOTICE: self.intake.handle},
            clock=self.clock,
            metrics=Metrics(),
            options=RelayOptions(),
            pulse=Pulse(),
        )

    async def hand_on(self) -> None:
        """Do all that worker and relay have to do before pushes can leave."""
        while await self.worker.step() + await self.relay.step():
            pass

    async def deeds(self) -> list[str]:
        """What the audit trail says was done, by name."""
        found = await SqlAudit(self.database).page(AuditQuery(), before=None, limit=100)
        return sorted(each.deed.action for each in found)


def request(*user_ids: UserId, **changes: object) -> Request:
    """An announcement; to somebody if it is not said to whom."""
    words: dict[str, object] = {
        "audience": Audience(user_ids=user_ids or (AMINA,)),
        "idempotency_key": "k",
        "variables": {"title": "Zaffa", "body": "سلام"},
    }
    return Request(**{**words, **changes})  # type: ignore[arg-type]


def to_devices(*device_ids: UUID, **changes: object) -> Request:
    return request(audience=Audience(device_ids=device_ids), **changes)


def to_list(list_id: str, **changes: object) -> Request:
    return request(audience=Audience(list_id=list_id), **changes)


def to_topic(topic: str, **changes: object) -> Request:
    return request(audience=Audience(topic=topic), **changes)
