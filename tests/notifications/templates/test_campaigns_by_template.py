"""Campaigns that templates word: frozen when they are written down, filled for each user."""

from uuid import UUID

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from kernel.ids import UserId
from kernel.workers import Pulse
from notifications.audit.types import Deed
from notifications.campaigns import CampaignWorker
from notifications.errors import (
    CampaignNotFound,
    CampaignStarted,
    IdempotencyMismatch,
    TemplateInvalid,
    TemplateNotFound,
    VariableMissing,
    VariableUnfit,
    VariableUnknown,
)
from notifications.templates.types import Template, Variable, VariableKind
from notifications.types import Action, Text
from tests.support.advertising import OPERATOR, campaign_words, campaigns_in
from tests.support.factories_notifications import (
    AMINA,
    KARIM,
    LINA,
    Room,
    agree,
    registration,
    server,
)
from tests.support.providers import FakeProvider

NOBODY = UUID(int=1)
SALE = Template(
    texts={
        "fr": Text("{who}, -{off, number} %", "", actions=(Action("go", "J’y vais", "/{who}"),)),
        "ar": Text("{who}، {off, number}٪", "{city}"),
    },
    variables={
        "who": Variable(),
        "off": Variable(VariableKind.NUMBER),
        "city": Variable(optional=True),
    },
    link="/sale",
)


@pytest.fixture
def room(sqlite_database, clock, metrics):
    return Room(sqlite_database, clock, metrics)


@pytest.fixture
def campaigns(room):
    return campaigns_in(room)


@pytest.fixture
def publish(room, clock):
    async def publish(template=SALE):
        now = clock.now()
        made = await room.templates.add("sale", template, note="", by="k", now=now, limit=9)
        deed = Deed("k", "template.published", "template:sale")
        await room.templates.publish("sale", made.number, by="k", now=now, deed=deed)

    return publish


@pytest.fixture
def create(campaigns):
    async def create(*, key="k", **changes):
        words = {
            "texts": None,
            "template": "sale",
            "variables": {"who": "Madame, Monsieur", "off": 10},
            "idempotency_key": key,
        }
        return (await campaigns.create(OPERATOR, **campaign_words(**{**words, **changes}))).campaign

    return create


@pytest.fixture
def run(room, campaigns, clock):
    async def run(campaign):
        """The contents that arrive, by address."""
        provider = FakeProvider()
        await campaigns.start(OPERATOR, campaign.id)
        worker = CampaignWorker(
            store=room.campaigns, clock=clock, pulse=Pulse(), planned=room.pulse
        )
        while await worker.step():
            pass
        dispatcher = room.dispatcher(provider)
        while await dispatcher.step():
            pass
        return {each.address: each.content for each in provider.attempts}

    return run


def bare(text):
    """Without the isolates around variables."""
    return text.translate({0x2068: "", 0x2069: ""})


async def test_each_user_is_told_with_variables_of_their_own_or_those_of_everybody(
    room, campaigns, publish, create, run, clock
):
    await publish()
    for number, (user_id, locale) in enumerate(((AMINA, "fr"), (KARIM, "fr"), (LINA, "ar-DZ"))):
        await room.register(user_id, registration(number, locale=locale))
    await agree(room.database, [AMINA, KARIM, LINA], now=clock.now())
    campaign = await create()

    await campaigns.fill(OPERATOR, campaign.id, {AMINA: {"who": "Amina", "off": 20}})
    await campaigns.fill(OPERATOR, campaign.id, {AMINA: {"who": "Amina"}, LINA: {"city": "وهران"}})
    told = await run(campaign)

    assert {address: bare(each.title) for address, each in told.items()} == {
        "token-0": "Amina, -10 %",
        "token-1": "Madame, Monsieur, -10 %",
        "token-2": "Madame, Monsieur، 10٪",
    }
    assert told["token-2"].body == "وهران"
    assert told["token-0"].actions == (Action("go", "J’y vais", "/Amina"),)
    assert told["token-0"].link == "/sale"


async def test_a_campaign_says_what_the_template_said_when_it_was_written_down(
    room, publish, create, run, clock
):
    await publish()
    await room.register(AMINA, registration())
    await agree(room.database, [AMINA], now=clock.now())
    campaign = await create()

    await publish(Template(texts={"fr": Text("autre", "")}))
    clock.move(seconds=2)
    told = await run(campaign)

    assert campaign.template == "sale@1"
    assert "Monsieur" in told["token-1"].title


async def test_own_texts_take_variables_as_well(room, campaigns, create, run, clock):
    await room.register(AMINA, registration())
    await agree(room.database, [AMINA], now=clock.now())
    texts = {"fr": Text("{n, plural, one {# place} other {# places}}", "")}
    campaign = await create(template="", texts=texts, variables={"n": 1})

    await campaigns.fill(OPERATOR, campaign.id, {AMINA: {"n": 3}})

    assert (await run(campaign))["token-1"].title == "3 places"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"template": "nothing"}, TemplateNotFound),
        ({"version": 7}, TemplateNotFound),
        ({"variables": {"who": "x"}}, VariableMissing),
        ({"variables": {"who": "x", "off": "ten"}}, VariableUnfit),
        ({"variables": {"who": "x", "off": 1, "price": 2}}, VariableUnknown),
        ({"texts": {"fr": Text("t", "")}}, InvalidInput),
        ({"template": ""}, TemplateInvalid),
        ({"template": "", "texts": {"fr": Text("{a}", "")}, "variables": {}}, VariableMissing),
    ],
)
async def test_what_could_not_be_sent_is_refused_at_once(publish, create, changes, refusal):
    await publish()

    with pytest.raises(refusal):
        await create(**changes)


@pytest.mark.parametrize(
    ("variables_of", "refusal"),
    [
        ({AMINA: {"price": 1}}, VariableUnknown),
        ({AMINA: {"off": "ten"}}, VariableUnfit),
        ({UserId("white space"): {"off": 1}}, InvalidInput),
    ],
)
async def test_variables_of_a_user_are_checked_when_they_are_brought(
    campaigns, publish, create, variables_of, refusal
):
    await publish()
    campaign = await create()

    with pytest.raises(refusal):
        await campaigns.fill(OPERATOR, campaign.id, variables_of)


async def test_a_campaign_that_has_begun_is_not_filled_any_more(campaigns, publish, create, run):
    await publish()
    campaign = await create()
    await run(campaign)

    with pytest.raises(CampaignStarted):
        await campaigns.fill(OPERATOR, campaign.id, {AMINA: {"who": "Amina"}})
    with pytest.raises(CampaignNotFound):
        await campaigns.fill(OPERATOR, NOBODY, {AMINA: {"who": "Amina"}})
    others = server(*(set(Scope) - {Scope.CAMPAIGNS}))
    with pytest.raises(Denied):
        await campaigns.fill(others, campaign.id, {AMINA: {"who": "Amina"}})


async def test_one_key_makes_one_campaign_however_it_is_filled(publish, create):
    await publish()
    first = await create()

    assert await create() == first
    with pytest.raises(IdempotencyMismatch):
        await create(variables={"who": "x", "off": 11})
