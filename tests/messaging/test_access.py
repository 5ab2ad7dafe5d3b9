"""The authorisation matrix: everything that may be done, by everybody, under every option.

The tables say which options suffice together, read off Centrifugo's `OnSubscribe`, `OnPublish`,
`OnHistory` and `OnPresence`; what else is asked is how we differ, and said beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from uuid import UUID

import pytest

from kernel.adapters.database import Database
from kernel.clock import SystemClock
from kernel.ids import UserId
from messaging.access import Access, Action, Answer
from messaging.adapters.sql_conversations import SqlConversations
from messaging.channels.namespaces import ChannelOptions, ChannelSettings, Namespaces
from tests.support.factories_messaging import AMINA, KARIM, group, members

Enough = Sequence[tuple[set[str], set[str]]]
"""Alternatives: these options are on, and those are off."""

ANYBODY = UserId("")
USERS, STRANGERS, LIMITS = (
    "allow_subscribe_for_client",
    "allow_subscribe_for_anonymous",
    "allow_user_limited_channels",
)

SUBSCRIBE: Mapping[tuple[str, UserId], Enough] = {
    ("hall:1", AMINA): [({USERS}, set())],
    ("hall:1", ANYBODY): [({USERS, STRANGERS}, set())],
    ("hall:1#amina", AMINA): [({LIMITS}, set()), ({USERS}, {LIMITS})],
    ("hall:1#karim,amina", AMINA): [({LIMITS}, set()), ({USERS}, {LIMITS})],
    ("hall:#amina", AMINA): [({LIMITS}, set()), ({USERS}, {LIMITS})],
    ("hall:1#karim", AMINA): [({USERS}, {LIMITS})],
    ("hall:1#amina#karim", AMINA): [({USERS}, {LIMITS})],
    ("hall:1#aminata", AMINA): [({USERS}, {LIMITS})],
    ("hall:1#amina", ANYBODY): [({USERS, STRANGERS}, {LIMITS})],
    # Centrifugo lets clients without a user into channels that name the empty one.
    ("hall:1#", ANYBODY): [({USERS, STRANGERS}, {LIMITS})],
    ("hall:1#,amina", ANYBODY): [({USERS, STRANGERS}, {LIMITS})],
    ("$hall:1", AMINA): [],
    ("$hall:1", ANYBODY): [],
    ("$hall:1#amina", AMINA): [],
}
"""Without a token: by the channel's name, and whoever comes."""


def _when(action: Action) -> Mapping[tuple[UserId, bool], Enough]:
    client, subscriber, anonymous = (
        f"allow_{action}_for_{whom}" for whom in ("client", "subscriber", "anonymous")
    )
    return {
        (AMINA, False): [({client}, set())],
        (AMINA, True): [({client}, set()), ({subscriber}, set())],
        (ANYBODY, False): [({client, anonymous}, set())],
        (ANYBODY, True): [({client, anonymous}, set()), ({subscriber, anonymous}, set())],
    }


@pytest.fixture
def conversations(sqlite_database: Database) -> SqlConversations:
    return SqlConversations(database=sqlite_database, clock=SystemClock())


def _every(*names: str, **always: object) -> Iterator[tuple[set[str], ChannelOptions]]:
    """Every set of these options, and the namespace that has them."""
    for values in product([False, True], repeat=len(names)):
        chosen = dict(zip(names, values, strict=True))
        yield {name for name in names if chosen[name]}, ChannelOptions(**chosen, **always)


def _is_enough(on: set[str], enough: Enough) -> bool:
    return any(needed <= on and not forbidden & on for needed, forbidden in enough)


EVENT = UUID(int=7)


class InEvents:
    """Amina is in an event, and nobody else in any."""

    async def present(self, pairs):
        return {pair for pair in pairs if pair == (EVENT, AMINA)}

    async def users_in(self, event_ids):
        return {EVENT: {AMINA}} if EVENT in event_ids else {}


def _access(
    conversations: SqlConversations, options: ChannelOptions, *, insecure: bool = False
) -> Access:
    settings = ChannelSettings(namespaces={"hall": options})
    return Access(conversations, Namespaces(settings), gatherings=InEvents(), insecure=insecure)


async def test_who_may_subscribe(conversations):
    for on, options in _every(USERS, STRANGERS, LIMITS):
        access = _access(conversations, options)
        for (channel, who), enough in SUBSCRIBE.items():
            expected = Answer.ALLOWED if _is_enough(on, enough) else Answer.DENIED
            assert (channel, who, on, await access.may_listen(who, channel)) == (
                channel, who, on, expected,
            )  # fmt: skip


async def test_a_channel_is_open_where_every_user_may_listen_and_nobody_must_be_asked(
    conversations,
):
    there = group()
    await conversations.create(there, members(there, AMINA))
    names = {channel for channel, _ in SUBSCRIBE}
    names |= {f"conversation:{there.id}", "user:amina", "hall", "nowhere:1", "hall:twelve"}
    for on, options in _every(USERS, STRANGERS, LIMITS, channel_regex="[^v]+e?$"):
        access = _access(conversations, options)
        for channel in names:
            if access.is_open(channel):
                for who in (AMINA, KARIM, UserId("somebody")):
                    assert await access.may_listen(who, channel) is Answer.ALLOWED, (channel, on)
        assert access.is_open("hall:1") is (USERS in on)
        assert access.is_open("hall:1#amina") is (USERS in on and LIMITS not in on)


@pytest.mark.parametrize(("channel", "who"), SUBSCRIBE)
async def test_a_token_opens_every_channel_of_a_namespace(conversations, channel, who):
    access = _access(conversations, ChannelOptions())

    assert await access.may_listen(who, channel, with_token=True) is Answer.ALLOWED


@pytest.mark.parametrize(("channel", "who"), SUBSCRIBE)
async def test_an_insecure_server_lets_everybody_in(conversations, channel, who):
    access = _access(conversations, ChannelOptions(), insecure=True)

    assert await access.may_listen(who, channel) is Answer.ALLOWED


@pytest.mark.parametrize("action", Action)
async def test_who_may_publish_read_the_history_and_ask_who_is_there(conversations, action):
    names = [f"allow_{action}_for_{whom}" for whom in ("client", "subscriber", "anonymous")]
    for on, options in _every(*names, history_size=1, history_ttl=1, presence=True):
        access = _access(conversations, options)
        for (who, subscribed), enough in _when(action).items():
            expected = Answer.ALLOWED if _is_enough(on, enough) else Answer.DENIED
            answer = await access.may(action, who, "hall:1", subscribed=subscribed)
            assert (who, subscribed, on, answer) == (who, subscribed, on, expected)


@pytest.mark.parametrize("action", [Action.HISTORY, Action.PRESENCE])
@pytest.mark.parametrize("insecure", [False, True])
async def test_what_a_namespace_does_not_keep_nobody_gets(conversations, action, insecure):
    allowed = ChannelOptions(allow_history_for_client=True, allow_presence_for_client=True)
    access = _access(conversations, allowed, insecure=insecure)

    assert await access.may(action, AMINA, "hall:1", subscribed=True) is Answer.UNAVAILABLE


@pytest.mark.parametrize("action", Action)
async def test_an_insecure_server_lets_everybody_do_everything(conversations, action):
    kept = ChannelOptions(history_size=1, history_ttl=1, presence=True)
    access = _access(conversations, kept, insecure=True)

    assert await access.may(action, ANYBODY, "hall:1", subscribed=False) is Answer.ALLOWED


@pytest.mark.parametrize("channel", ["nowhere:1", "$nowhere:1", "conversation:1", ":1", "$:1"])
async def test_a_channel_of_no_namespace_is_unknown_to_everybody(conversations, channel):
    access = _access(conversations, ChannelOptions(), insecure=True)

    assert await access.may_listen(AMINA, channel, with_token=True) is Answer.UNKNOWN
    for action in Action:
        assert await access.may(action, AMINA, channel, subscribed=True) is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("channel", "answer"),
    [
        ("hall:12", Answer.ALLOWED),
        ("hall:table-12", Answer.ALLOWED),
        ("$hall:12", Answer.ALLOWED),
        ("hall:twelve", Answer.MISNAMED),
        ("hall:", Answer.MISNAMED),
        ("12", Answer.DENIED),
    ],
)
async def test_a_name_that_its_namespace_does_not_know_is_misnamed(conversations, channel, answer):
    """Found anywhere in the name, as in Centrifugo, unless the expression says where."""
    access = _access(
        conversations, ChannelOptions(channel_regex=r"\d+", allow_publish_for_client=True)
    )

    with_token = channel.endswith("12") and channel != "12"
    assert await access.may_listen(AMINA, channel, with_token=with_token) is answer
    assert await access.may(Action.PUBLISH, AMINA, channel, subscribed=False) is answer


@pytest.mark.parametrize("insecure", [False, True])
async def test_a_conversation_is_for_its_members_whatever_anybody_signs(conversations, insecure):
    there = group()
    await conversations.create(there, members(there, AMINA))
    access = _access(conversations, ChannelOptions(), insecure=insecure)
    channel = f"conversation:{there.id}"

    assert await access.may_listen(AMINA, channel) is Answer.ALLOWED
    for who in (KARIM, ANYBODY):
        for with_token in (False, True):
            assert await access.may_listen(who, channel, with_token=with_token) is Answer.DENIED
    for who, action in product((AMINA, KARIM, ANYBODY), Action):
        may = await access.may(action, who, channel, subscribed=False)
        reads = who == AMINA and action is not Action.PUBLISH
        assert may is (Answer.ALLOWED if reads else Answer.DENIED)


@pytest.mark.parametrize("insecure", [False, True])
async def test_a_personal_channel_is_for_its_user_whatever_anybody_signs(conversations, insecure):
    access = _access(conversations, ChannelOptions(), insecure=insecure)

    assert await access.may_listen(AMINA, "user:amina") is Answer.ALLOWED
    for who, channel in ((KARIM, "user:amina"), (ANYBODY, "user:amina"), (ANYBODY, "user:")):
        for with_token in (False, True):
            assert await access.may_listen(who, channel, with_token=with_token) is Answer.DENIED
        for action in (Action.HISTORY, Action.PRESENCE):
            assert await access.may(action, who, channel, subscribed=True) is Answer.DENIED


async def test_an_event_is_heard_by_who_is_in_it_whatever_else_is_allowed(conversations):
    channel = f"event:{EVENT}"
    access = _access(conversations, ChannelOptions(), insecure=True)

    for who, answer in ((AMINA, Answer.ALLOWED), (KARIM, Answer.DENIED), (ANYBODY, Answer.DENIED)):
        for with_token in (False, True):
            assert await access.may_listen(who, channel, with_token=with_token) is answer
        assert await access.may(Action.HISTORY, who, channel, subscribed=False) is answer
        assert await access.may(Action.PUBLISH, who, channel, subscribed=True) is Answer.DENIED
    assert await access.may_listen(AMINA, f"event:{UUID(int=8)}") is Answer.DENIED
    assert await access.may_listen(AMINA, "event:all", with_token=True) is Answer.MISNAMED
    listeners = {channel: frozenset({AMINA, KARIM})}
    assert await access.strangers(listeners) == {channel: {KARIM}}
    assert await access.users_of(channel) == [AMINA]
