"""What becomes of webhooks' secrets when the key that seals them is replaced."""

import pytest

from kernel.errors import Denied
from kernel.identity import Scope
from kernel.workers import Pulse
from notifications.adapters.sql_deliveries import SqlDeliveries
from notifications.adapters.sql_webhooks import SqlWebhooks
from notifications.apps.sealing import KeyRing, make_key
from notifications.webhooks.types import NewsKind
from notifications.webhooks.webhooks import WebhookOptions, Webhooks, bound_to
from tests.support.factories_notifications import server

OLD, NEW = make_key("old"), make_key("new")
SERVER = server(Scope.PUSHES)


@pytest.fixture
def webhooks_under(sqlite_database, clock):
    def webhooks(*keys):
        return Webhooks(
            store=SqlWebhooks(sqlite_database),
            deliveries=SqlDeliveries(sqlite_database),
            sealer=KeyRing(keys),
            clock=clock,
            pulse=Pulse(),
            options=WebhookOptions(own_origins=("https://hooks.example",)),
        )

    return webhooks


async def test_secrets_are_sealed_anew_and_stay_what_they_were(webhooks_under):
    before = webhooks_under(OLD)
    kinds = frozenset(NewsKind) - {NewsKind.TEST}
    webhook, first = await before.create(SERVER, "https://hooks.example/push", kinds)
    _, second = await before.rotate(SERVER, webhook.id)
    after = webhooks_under(NEW, OLD)

    assert await after.reseal(server(Scope.OPERATE)) == 1
    assert await after.reseal(server(Scope.OPERATE)) == 0

    kept, alone = await after.get(SERVER, webhook.id), KeyRing([NEW])
    secrets = [kept.secret, kept.former_secret]
    assert [alone.unwrapped(each, bound=bound_to(webhook.id)) for each in secrets] == [
        second,
        first,
    ]


async def test_only_operators_seal_anew(webhooks_under):
    with pytest.raises(Denied):
        await webhooks_under(OLD).reseal(SERVER)
