"""Who may do what in which channel."""

from collections.abc import Mapping
from enum import Enum, StrEnum

from kernel.ids import UserId
from messaging.channels.names import conversation_of, event_of, user_of
from messaging.channels.namespaces import (
    EVENTS,
    ChannelOptions,
    Namespaces,
    is_private,
    users_named_by,
)
from messaging.outside import Gatherings
from messaging.ports import ConversationStore, Membership
from messaging.rounds import Rounds


class Answer(Enum):
    """Whether a user may do something in a channel."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"
    MISNAMED = "misnamed"
    """Nobody can: the name is none that the channel's namespace allows."""
    UNAVAILABLE = "unavailable"
    """Nobody can: the channel does not keep what is asked for."""


class Action(StrEnum):
    """What may be done in a channel beside listening, as the options of namespaces say it."""

    PUBLISH = "publish"
    HISTORY = "history"
    PRESENCE = "presence"


class Access:
    """Conversations and events are for their members, a personal channel for its user.

    That a conversation exists is not for strangers to know: they are denied either way. Other
    channels have the rules of their namespace. With `insecure` those rules let everybody do
    everything; conversations and personal channels stay what they are.
    """

    def __init__(
        self,
        conversations: ConversationStore,
        namespaces: Namespaces | None = None,
        *,
        gatherings: Gatherings,
        insecure: bool = False,
    ) -> None:
        self._conversations = conversations
        self._namespaces = namespaces or Namespaces()
        self._insecure = insecure
        # Looked up after it was asked: who is removed later is told by an order, and an order
        # finds every subscription that was being set up when it came.
        self._members = Rounds[Membership](conversations.memberships)
        self._gatherings = gatherings
        self._present = Rounds[Membership](gatherings.present)

    def is_open(self, channel: str) -> bool:
        """Whether every user who says who they are may listen, as most may: nobody is asked."""
        options = self._namespaces.options_of(channel)
        return (
            conversation_of(channel) is None
            and options is not None
            and options.allow_subscribe_for_client
            and self._namespaces.allows_name(channel)
            and user_of(channel) is None
            and not is_private(channel)
            and not (options.allow_user_limited_channels and users_named_by(channel))
        )

    async def may_listen(
        self, user_id: UserId, channel: str, *, with_token: bool = False
    ) -> Answer:
        """Whether the user may listen to the channel now.

        `with_token` says that the application signed a token for it. That opens any channel
        of a namespace, and no conversation: who is in those, we know better.
        """
        conversation_id = conversation_of(channel)
        if conversation_id is not None:
            is_member = user_id != "" and await self._members.ask((conversation_id, user_id))
            return Answer.ALLOWED if is_member else Answer.DENIED
        event_id = event_of(channel)
        if event_id is not None:
            return _either(user_id != "" and await self._present.ask((event_id, user_id)))
        options = self._namespaces.options_of(channel)
        if options is None:
            return Answer.UNKNOWN
        if options is EVENTS or not self._namespaces.allows_name(channel):
            return Answer.MISNAMED
        owner = user_of(channel)
        if owner is not None:
            return _either(owner == user_id != "")
        if with_token or self._insecure:
            return Answer.ALLOWED
        if is_private(channel):
            return Answer.DENIED
        named = users_named_by(channel) if options.allow_user_limited_channels else None
        if named is not None:
            return _either(user_id in named and user_id != "")
        known = user_id != "" or options.allow_subscribe_for_anonymous
        return _either(options.allow_subscribe_for_client and known)

    async def may(
        self, action: Action, user_id: UserId, channel: str, *, subscribed: bool
    ) -> Answer:
        """Whether the user may do this in the channel now. `subscribed` are they already."""
        is_event = event_of(channel) is not None
        if is_event or conversation_of(channel) is not None:
            # Nothing is published past the use cases: what a message is, they decide.
            if action is Action.PUBLISH:
                return Answer.DENIED
            if is_event and action is Action.PRESENCE:
                return Answer.UNAVAILABLE
            return Answer.ALLOWED if subscribed else await self.may_listen(user_id, channel)
        options = self._namespaces.options_of(channel)
        if options is None:
            return Answer.UNKNOWN
        if not self._namespaces.allows_name(channel):
            return Answer.MISNAMED
        if action is Action.HISTORY and not options.keeps:
            return Answer.UNAVAILABLE
        owner = user_of(channel)
        if action is Action.PRESENCE and owner is None and not options.presence:
            return Answer.UNAVAILABLE
        if owner is not None and action is not Action.PUBLISH:
            return _either(owner == user_id != "")
        if self._insecure and owner is None:
            return Answer.ALLOWED
        return _either(_permits(options, action, user_id, subscribed=subscribed))

    def subscriber_may(self, action: Action, user_id: UserId, options: ChannelOptions) -> bool:
        """Whether the user may do this in a namespace once they are subscribed."""
        return self._insecure or _permits(options, action, user_id, subscribed=True)

    async def strangers(
        self, listeners: Mapping[str, frozenset[UserId]]
    ) -> Mapping[str, frozenset[UserId]]:
        """Of those who listen to each conversation or event, the users who may not any more."""
        by_id = {
            conversation_id: channel
            for channel in listeners
            if (conversation_id := conversation_of(channel)) is not None
        }
        members = await self._conversations.members(list(by_id))
        gone = {
            channel: listeners[channel]
            - {member.user_id for member in members.get(conversation_id, ())}
            for conversation_id, channel in by_id.items()
        }
        events = {
            event_id: channel
            for channel in listeners
            if (event_id := event_of(channel)) is not None
        }
        if events:
            there = await self._gatherings.users_in(list(events))
            for event_id, channel in events.items():
                gone[channel] = listeners[channel] - frozenset(there.get(event_id, ()))
        return {channel: strangers for channel, strangers in gone.items() if strangers}

    async def users_of(self, channel: str) -> list[UserId] | None:
        """The users whose channel it is; None where others may be in it as well."""
        owner = user_of(channel)
        if owner is not None:
            return [owner]
        event_id = event_of(channel)
        if event_id is not None:
            return list((await self._gatherings.users_in([event_id])).get(event_id, ()))
        conversation_id = conversation_of(channel)
        if conversation_id is None:
            return None
        members = await self._conversations.members([conversation_id])
        return [member.user_id for member in members.get(conversation_id, ())]


def _either(allowed: bool) -> Answer:
    return Answer.ALLOWED if allowed else Answer.DENIED


def _permits(options: ChannelOptions, action: Action, user_id: UserId, *, subscribed: bool) -> bool:
    """Centrifugo's rule: users where users may, subscribers where they may; nobodies by name."""
    if not user_id and not getattr(options, f"allow_{action}_for_anonymous"):
        return False
    return bool(
        getattr(options, f"allow_{action}_for_client")
        or (subscribed and getattr(options, f"allow_{action}_for_subscriber"))
    )
