"""Who comes and goes is carried to the registry, whatever it does."""

import pytest

from kernel.errors import Unavailable
from messaging.adapters.memory_presence import MemoryPresence
from messaging.presence.presence import Keeper, PresenceOptions, Presences, connection_keeper
from messaging.types import Presence
from tests.support.factories_messaging import AMINA, KARIM


class Registry(MemoryPresence):
    """Counts its signs of life, and is away when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.renewed = 0
        self.meanwhile = lambda: None

    async def enter(self, connections) -> None:
        self.meanwhile()
        if self.away:
            raise Unavailable("away")
        await super().enter(connections)

    async def renew(self) -> None:
        self.renewed += 1


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def keeper(registry, clock) -> Keeper[Presence]:
    options = PresenceOptions(ttl_seconds=6, renew_seconds=2)
    return connection_keeper(registry, clock=clock, options=options)


AMINAS, KARIMS = Presence(AMINA, "1"), Presence(KARIM, "2")


async def test_comings_and_goings_are_carried_over(keeper, registry):
    keeper.entered(AMINAS)
    keeper.entered(KARIMS)
    assert await keeper.step() == 2
    keeper.left(KARIMS)
    assert await keeper.step() == 1
    assert await keeper.step() == 0

    assert await Presences(registry).looking([AMINA, KARIM]) == {AMINA}
    assert await Presences(registry).connections([AMINA]) == {"1": AMINAS}


async def test_who_came_and_went_between_two_steps_was_never_there(keeper, registry):
    keeper.entered(AMINAS)
    keeper.left(AMINAS)

    await keeper.step()
    assert await registry.present([AMINA]) == frozenset()


async def test_who_went_and_came_back_between_two_steps_is_there(keeper, registry):
    keeper.entered(AMINAS)
    await keeper.step()
    keeper.left(AMINAS)
    keeper.entered(AMINAS)

    await keeper.step()
    assert await registry.present([AMINA]) == {AMINA}


async def test_who_came_back_and_went_again_is_gone(keeper, registry):
    keeper.entered(AMINAS)
    await keeper.step()
    keeper.left(AMINAS)
    keeper.entered(AMINAS)
    keeper.left(AMINAS)

    await keeper.step()
    assert await registry.present([AMINA]) == frozenset()


async def test_who_comes_back_changed_while_being_entered_is_entered_again(keeper, registry):
    changed = Presence(AMINA, "1", b'{"n":2}')
    keeper.entered(AMINAS)
    registry.meanwhile = lambda: keeper.entered(changed)
    await keeper.step()
    registry.meanwhile = lambda: None

    await keeper.step()
    assert await registry.connections([AMINA]) == {"1": changed}


async def test_who_leaves_while_being_entered_is_gone_in_the_end(keeper, registry):
    keeper.entered(AMINAS)
    registry.meanwhile = lambda: keeper.left(AMINAS)

    await keeper.step()
    await keeper.step()

    assert await registry.present([AMINA]) == frozenset()


async def test_what_the_registry_did_not_take_is_carried_over_later(keeper, registry):
    keeper.entered(AMINAS)
    registry.away = True
    with pytest.raises(Unavailable):
        await keeper.step()
    registry.away = False

    await keeper.step()

    assert await registry.present([AMINA]) == {AMINA}


async def test_signs_of_life_come_at_their_interval(keeper, registry, clock):
    for _ in range(10):
        await keeper.step()
        clock.move(seconds=0.5)

    assert registry.renewed == 3


@pytest.mark.parametrize(("ttl", "renew"), [(2, 2), (1, 2), (5, 0)])
def test_a_node_must_be_able_to_renew_in_time(ttl, renew):
    with pytest.raises(ValueError, match="renew_seconds"):
        PresenceOptions(ttl_seconds=ttl, renew_seconds=renew)
