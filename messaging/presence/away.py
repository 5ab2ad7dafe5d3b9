"""From `message.sent` to notices: who is not looking is told that there is something to read."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.notices import AUDIENCE, Notice, Urgency, entry_of
from kernel.outbox import Claimed, Entry
from messaging.facts import MessageSent, sent_of
from messaging.ports import Audiences

Looking = Callable[[Sequence[UserId]], Awaitable[frozenset[UserId]]]
"""Which of these users are looking right now: `Presences.looking` answers it."""

CATEGORY = "chat"
TEMPLATE = "chat.message"

TELL_WITHIN = timedelta(hours=1)
"""A message older than this is no news; the application finds it when it is opened."""


class Away:
    """Tells members of new messages: all but the sender, the muted and those who are here."""

    def __init__(self, *, audiences: Audiences, looking: Looking, clock: Clock) -> None:
        self._audiences = audiences
        self._looking = looking
        self._clock = clock

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """The notices that follow from entries of the kind `message.sent`.

        Asks for audiences and for presence once, however many messages there are.
        """
        oldest = self._clock.now() - TELL_WITHIN
        sent = [(entry, sent_of(entry.payload)) for entry in entries if entry.created_at > oldest]
        audiences = await self._audiences.audiences(
            list({message.conversation_id for _, message in sent})
        )
        users = set[UserId]().union(*(each.user_ids for each in audiences.values()))
        here = await self._looking(sorted(users)) if users else frozenset[UserId]()
        # Once for each conversation, however many messages it was sent.
        away = {
            audience.conversation_id: [each for each in audience.user_ids if each not in here]
            for audience in audiences.values()
        }
        return [
            entry_of(notice)
            for entry, message in sent
            if message.conversation_id in audiences
            for notice in _notices(
                entry,
                message,
                title=audiences[message.conversation_id].title,
                away=away[message.conversation_id],
            )
        ]


def message_notice(
    message: MessageSent,
    *,
    sent_at: datetime,
    title: str,
    user_ids: Sequence[UserId],
    part: str = "",
) -> Notice:
    """What users are told of a message, once, however often they are."""
    conversation_id = str(message.conversation_id)
    return Notice(
        user_ids=tuple(user_ids),
        template=TEMPLATE,
        category=CATEGORY,
        urgency=Urgency.INTERACTIVE,
        dedupe_key=f"{TEMPLATE}:{message.message_id}{part}",
        expires_at=sent_at + TELL_WITHIN,
        variables={
            "sender": message.sender_id,
            "text": message.preview,
            "conversation": title,
        },
        collapse_key=conversation_id,
        thread=conversation_id,
        place=message.offset,
        coalesces=True,
        link=f"/conversations/{conversation_id}",
        data={"conversation_id": conversation_id, "offset": str(message.offset)},
    )


def _notices(
    entry: Claimed, message: MessageSent, *, title: str, away: Sequence[UserId]
) -> Iterator[Notice]:
    told = [user_id for user_id in away if user_id != message.sender_id]
    for start in range(0, len(told), AUDIENCE):
        yield message_notice(
            message,
            sent_at=entry.created_at,
            title=title,
            user_ids=told[start : start + AUDIENCE],
            part=f":{start}" if start else "",
        )
