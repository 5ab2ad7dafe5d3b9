"""Opening conversations, and who may do what in them."""

import asyncio
from datetime import timedelta

import pytest

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.bus import Publication
from kernel.errors import InvalidInput
from kernel.ids import UserId
from messaging.adapters.sql_conversations import SqlConversations
from messaging.channels.names import conversation_channel
from messaging.conversations.conversations import ConversationLimits, Conversations, Removals
from messaging.errors import (
    ConversationFull,
    ConversationNotFound,
    LastOwner,
    MemberNotFound,
    NotAGroup,
    RoleTooLow,
)
from messaging.facts import MEMBER_REMOVED, MemberRemoved, removed_of
from messaging.nodes.control import CONTROL, Unsubscribe, order_of
from messaging.types import Conversation, ConversationKind, Role
from tests.support.clock import ManualClock
from tests.support.factories_messaging import AMINA, KARIM, LINA, NOUR


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def store(sqlite_database: Database, clock: ManualClock) -> SqlConversations:
    return SqlConversations(database=sqlite_database, clock=clock)


@pytest.fixture
def conversations(store: SqlConversations, bus: MemoryBus, clock: ManualClock) -> Conversations:
    return Conversations(store=store, bus=bus, clock=clock, limits=ConversationLimits(members=5))


@pytest.fixture
async def party(conversations: Conversations) -> Conversation:
    """Amina owns it, Karim is admin, Lina a member; Nour is a stranger."""
    party = await conversations.open_group(AMINA, title="Fête", user_ids=[KARIM, LINA])
    await conversations.change_role(
        AMINA, conversation_id=party.id, member_id=KARIM, role=Role.ADMIN
    )
    return party


async def roles(conversations: Conversations, there: Conversation) -> dict[UserId, Role]:
    return {each.user_id: each.role for each in await conversations.members_of(there.id)}


async def heard(bus: MemoryBus, doing) -> list[Publication]:
    """What is published on the control channel while `doing` is done."""
    async with bus.listen() as listener:
        await listener.follow(frozenset({CONTROL}))
        await doing
        return list(await asyncio.wait_for(anext(aiter(listener)), 1))


async def test_a_group_belongs_to_who_opened_it(conversations):
    opened = await conversations.open_group(AMINA, title=" Fête\n", user_ids=[KARIM, AMINA, KARIM])

    assert (opened.kind, opened.title, opened.created_by) == (
        ConversationKind.GROUP,
        "Fête",
        AMINA,
    )
    assert await roles(conversations, opened) == {AMINA: Role.OWNER, KARIM: Role.MEMBER}


async def test_a_direct_conversation_is_the_same_for_both(conversations):
    first = await conversations.open_direct(AMINA, other_id=KARIM)

    assert await conversations.open_direct(KARIM, other_id=AMINA) == first
    assert await roles(conversations, first) == {AMINA: Role.MEMBER, KARIM: Role.MEMBER}


@pytest.mark.parametrize("user_ids", [[], [KARIM, LINA], [AMINA], [UserId("white space")]])
async def test_a_direct_conversation_is_with_one_other_user(conversations, user_ids):
    with pytest.raises(InvalidInput):
        await conversations.open(AMINA, kind=ConversationKind.DIRECT, title="", user_ids=user_ids)


async def test_a_direct_conversation_has_no_title(conversations):
    with pytest.raises(InvalidInput, match="title"):
        await conversations.open(
            AMINA, kind=ConversationKind.DIRECT, title="Nous", user_ids=[KARIM]
        )


@pytest.mark.parametrize("user_id", ["", "a" * 129, "a b", "a\x00", "\u202e", "\ud800"])
async def test_a_group_is_of_users_that_can_be_named(conversations, user_id):
    with pytest.raises(InvalidInput):
        await conversations.open_group(AMINA, title="", user_ids=[UserId(user_id)])


async def test_a_group_is_opened_no_larger_than_allowed(conversations):
    guests = [UserId(f"guest-{n}") for n in range(5)]

    await conversations.open_group(AMINA, title="", user_ids=guests[:4])
    with pytest.raises(ConversationFull):
        await conversations.open_group(AMINA, title="", user_ids=guests)


async def test_a_group_grows_no_larger_than_allowed(conversations, party):
    for guest in ("one", "two"):
        await conversations.add_member(AMINA, conversation_id=party.id, member_id=UserId(guest))

    with pytest.raises(ConversationFull):
        await conversations.add_member(AMINA, conversation_id=party.id, member_id=NOUR)


async def test_everybody_sees_their_own_conversations(conversations, party):
    chat = await conversations.open_direct(NOUR, other_id=LINA)

    assert {each.id for each in (await conversations.of_user(LINA)).items} == {party.id, chat.id}
    assert [each.id for each in (await conversations.of_user(NOUR)).items] == [chat.id]


async def test_to_a_stranger_a_conversation_does_not_exist(conversations, party):
    there = {"conversation_id": party.id}

    for asking in (
        conversations.get(NOUR, **there),
        conversations.members(NOUR, **there),
        conversations.add_member(NOUR, **there, member_id=NOUR),
        conversations.change_role(NOUR, **there, member_id=NOUR, role=Role.OWNER),
        conversations.remove_member(NOUR, **there, member_id=LINA),
        conversations.remove_member(NOUR, **there, member_id=NOUR),
        conversations.mute(NOUR, **there, muted=True),
    ):
        with pytest.raises(ConversationNotFound):
            await asking


@pytest.mark.parametrize(
    ("who", "whom", "refusal"),
    [
        (AMINA, KARIM, None),
        (AMINA, LINA, None),
        (KARIM, LINA, None),
        (KARIM, AMINA, RoleTooLow),
        (KARIM, KARIM, None),
        (LINA, KARIM, RoleTooLow),
        (LINA, NOUR, RoleTooLow),
        (LINA, LINA, None),
        (AMINA, AMINA, LastOwner),
        (AMINA, NOUR, MemberNotFound),
        (KARIM, NOUR, MemberNotFound),
    ],
)
async def test_everybody_may_leave_and_roles_say_who_may_remove_whom(
    conversations, party, who, whom, refusal
):
    before = await roles(conversations, party)
    removing = conversations.remove_member(who, conversation_id=party.id, member_id=whom)

    if refusal is None:
        await removing
        del before[whom]
    else:
        with pytest.raises(refusal):
            await removing

    assert await roles(conversations, party) == before


async def test_admins_do_not_remove_each_other(conversations, party):
    await conversations.change_role(
        AMINA, conversation_id=party.id, member_id=LINA, role=Role.ADMIN
    )

    with pytest.raises(RoleTooLow):
        await conversations.remove_member(KARIM, conversation_id=party.id, member_id=LINA)


@pytest.mark.parametrize("who", [KARIM, LINA])
async def test_only_owners_change_roles(conversations, party, who):
    with pytest.raises(RoleTooLow):
        await conversations.change_role(
            who, conversation_id=party.id, member_id=who, role=Role.OWNER
        )


async def test_ownership_can_be_handed_on(conversations, party):
    await conversations.change_role(
        AMINA, conversation_id=party.id, member_id=KARIM, role=Role.OWNER
    )
    await conversations.change_role(
        KARIM, conversation_id=party.id, member_id=AMINA, role=Role.MEMBER
    )

    assert await roles(conversations, party) == {
        AMINA: Role.MEMBER,
        KARIM: Role.OWNER,
        LINA: Role.MEMBER,
    }
    with pytest.raises(LastOwner):
        await conversations.change_role(
            KARIM, conversation_id=party.id, member_id=KARIM, role=Role.ADMIN
        )


async def test_only_members_have_roles(conversations, party):
    with pytest.raises(MemberNotFound):
        await conversations.change_role(
            AMINA, conversation_id=party.id, member_id=NOUR, role=Role.ADMIN
        )


@pytest.mark.parametrize(("who", "refusal"), [(AMINA, None), (KARIM, None), (LINA, RoleTooLow)])
async def test_owners_and_admins_bring_others_in(conversations, party, who, refusal):
    adding = conversations.add_member(who, conversation_id=party.id, member_id=NOUR)

    if refusal is None:
        assert (await adding).role is Role.MEMBER
    else:
        with pytest.raises(refusal):
            await adding


async def test_adding_somebody_again_leaves_their_role_alone(conversations, party):
    again = await conversations.add_member(AMINA, conversation_id=party.id, member_id=KARIM)

    assert again.role is Role.ADMIN


async def test_a_direct_conversation_keeps_its_two_members(conversations):
    chat = await conversations.open_direct(AMINA, other_id=KARIM)
    there = {"conversation_id": chat.id}

    for asking in (
        conversations.add_member(AMINA, **there, member_id=LINA),
        conversations.change_role(AMINA, **there, member_id=KARIM, role=Role.OWNER),
        conversations.remove_member(AMINA, **there, member_id=KARIM),
        conversations.remove_member(AMINA, **there, member_id=AMINA),
    ):
        with pytest.raises(NotAGroup):
            await asking


async def test_muting_concerns_oneself_and_can_be_undone(conversations, store, party):
    muted = await conversations.mute(LINA, conversation_id=party.id, muted=True)
    assert muted.muted
    assert (await store.audiences([party.id]))[party.id].user_ids == (AMINA, KARIM)

    await conversations.mute(LINA, conversation_id=party.id, muted=False)
    assert (await store.audiences([party.id]))[party.id].user_ids == (AMINA, KARIM, LINA)


async def test_a_removal_ends_the_subscriptions_on_every_node_at_once(conversations, party, bus):
    (publication,) = await heard(
        bus, conversations.remove_member(AMINA, conversation_id=party.id, member_id=LINA)
    )

    assert order_of(publication) == Unsubscribe(
        user_id=LINA, channel=conversation_channel(party.id), code=2500
    )


async def test_a_removal_is_announced_again_from_the_outbox(
    conversations, store, party, bus, sqlite_database, clock
):
    await conversations.remove_member(AMINA, conversation_id=party.id, member_id=LINA)
    outbox = SqlOutbox(sqlite_database, clock)
    entries = await outbox.claim(
        [MEMBER_REMOVED], now=clock.now(), lease=timedelta(minutes=1), limit=10
    )

    (publication,) = await heard(bus, Removals(store=store, bus=bus).handle(entries))

    assert [removed_of(entry.payload) for entry in entries] == [
        MemberRemoved(conversation_id=party.id, user_id=LINA)
    ]
    assert order_of(publication) == Unsubscribe(
        user_id=LINA, channel=conversation_channel(party.id), code=2500
    )


async def test_who_came_back_meanwhile_is_left_alone(
    conversations, store, party, bus, sqlite_database, clock
):
    for guest in (KARIM, LINA):
        await conversations.remove_member(AMINA, conversation_id=party.id, member_id=guest)
    await conversations.add_member(AMINA, conversation_id=party.id, member_id=KARIM)
    outbox = SqlOutbox(sqlite_database, clock)
    entries = await outbox.claim(
        [MEMBER_REMOVED], now=clock.now(), lease=timedelta(minutes=1), limit=10
    )

    told = await heard(bus, Removals(store=store, bus=bus).handle(entries))

    assert [order_of(each).user_id for each in told] == [LINA]


def test_a_group_has_room_for_two():
    with pytest.raises(ValueError, match="members"):
        ConversationLimits(members=1)
