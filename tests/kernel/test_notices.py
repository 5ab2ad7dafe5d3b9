from datetime import timedelta

from kernel.ids import UserId
from kernel.notices import NOTICE, Notice, Urgency, entry_of, notice_of
from tests.support.clock import START

WISH = Notice(
    user_ids=(UserId("amina"), UserId("بلال")),
    template="message",
    category="messages",
    urgency=Urgency.INTERACTIVE,
    dedupe_key="message:1",
    expires_at=START + timedelta(days=1),
    variables={"count": 3, "title": "عرس"},
    data={"conversation": "c"},
)


def test_an_outbox_entry_carries_a_notice_whole():
    entry = entry_of(WISH)

    assert notice_of(entry.payload) == WISH
    assert entry.kind == NOTICE


def test_the_entry_is_written_once_per_dedupe_key_of_the_notice():
    assert entry_of(WISH).dedupe_key == "notice:message:1"


def test_a_notice_may_wait():
    due_at = START + timedelta(hours=1)

    assert entry_of(WISH, due_at=due_at).due_at == due_at
    assert entry_of(WISH).due_at is None
