"""The one place that decides about pushes, and how it explains itself."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.deciding.categories import CategoryOptions, PreferenceOptions, Rulebook
from notifications.deciding.decision import decide, explain
from notifications.deciding.types import (
    Answer,
    Asked,
    Consent,
    Quiet,
    QuietHours,
    Reason,
    Said,
    UserPreferences,
    Window,
)

AMINA = UserId("amina")
PHONE, TABLET = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 5, 4, 11, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 5, 4, 23, 0, tzinfo=UTC)
NIGHT = QuietHours((Window(time(22), time(8)),))
AGREED = {"marketing": Consent(True, "v3", NOON)}
USUAL = Rulebook()


def asked(**changes):
    plain = Asked(
        category="reminders",
        urgency=Urgency.TRANSACTIONAL,
        at=NOON,
        expires_at=NOON + timedelta(days=1),
        device_id=PHONE,
        time_zone="Africa/Algiers",
    )
    return replace(plain, **changes)


def facts(of=None, *, rulebook=USUAL, muted=False, category="reminders", urgency=None, **said):
    preferences = {AMINA: UserPreferences(**said)} if said else {}
    about = Said(preferences, muted={("t", AMINA)} if muted else ())
    kind = of or asked(category=category, urgency=urgency or Urgency.TRANSACTIONAL)
    return rulebook.facts(about, AMINA, category=kind.category, urgency=kind.urgency, thread="t")


def decided(push, **said):
    decision = decide(push, facts(push, **said))
    return decision.answer, decision.reason


SEND = (Answer.SEND, None)
AD = asked(category="marketing", urgency=Urgency.MARKETING)


@pytest.mark.parametrize(
    ("push", "said", "outcome"),
    [
        (asked(), {}, SEND),
        (asked(expires_at=NOON), {}, (Answer.SUPPRESS, Reason.EXPIRED)),
        (asked(disabled_reason="UNREGISTERED"), {}, (Answer.SUPPRESS, Reason.DEVICE_DISABLED)),
        (
            asked(confirmed_at=NOON - timedelta(days=9), stale_before=NOON - timedelta(days=8)),
            {},
            (Answer.SUPPRESS, Reason.DEVICE_STALE),
        ),
        (AD, {}, (Answer.SUPPRESS, Reason.NO_CONSENT)),
        (AD, {"consents": AGREED}, SEND),
        (
            AD,
            {"consents": {"marketing": Consent(False, "v3", NOON)}},
            (Answer.SUPPRESS, Reason.NO_CONSENT),
        ),
        (AD, {"consents": {"news": AGREED["marketing"]}}, (Answer.SUPPRESS, Reason.NO_CONSENT)),
        (asked(), {"categories": {"reminders": False}}, (Answer.SUPPRESS, Reason.OPTED_OUT)),
        (asked(), {"categories": {"chat": False}}, SEND),
        (
            asked(),
            {"devices": {str(PHONE): {"reminders": False}}},
            (Answer.SUPPRESS, Reason.OPTED_OUT_ON_DEVICE),
        ),
        (asked(), {"devices": {str(TABLET): {"reminders": False}}}, SEND),
        (
            asked(),
            {"categories": {"reminders": False}, "devices": {str(PHONE): {"reminders": True}}},
            SEND,
        ),
        (asked(), {"muted": True}, (Answer.SUPPRESS, Reason.MUTED)),
        (asked(at=MIDNIGHT), {"quiet": NIGHT}, (Answer.HOLD, Reason.QUIET_HOURS)),
        (asked(at=MIDNIGHT), {}, SEND),
        (asked(at=MIDNIGHT, exact=True), {"quiet": NIGHT}, SEND),
        (
            asked(at=MIDNIGHT, exact=True),
            {"quiet": replace(NIGHT, also=("reminders",))},
            (Answer.HOLD, Reason.QUIET_HOURS),
        ),
        (
            asked(at=MIDNIGHT, exact=True),
            {"quiet": NIGHT, "categories": {"reminders": False}},
            (Answer.SUPPRESS, Reason.OPTED_OUT),
        ),
        (
            asked(at=MIDNIGHT, expires_at=MIDNIGHT + timedelta(hours=1)),
            {"quiet": NIGHT},
            (Answer.SUPPRESS, Reason.QUIET_HOURS),
        ),
    ],
)
def test_the_first_rule_that_minds_decides(push, said, outcome):
    assert decided(push, **said) == outcome


def test_the_explanation_says_that_the_user_chose_the_time():
    chosen = asked(at=MIDNIGHT, exact=True)

    said = dict(explain(chosen, facts(chosen, quiet=NIGHT)).rules)

    assert said["quiet_hours"].why == (
        "The user chose this very time, so quiet hours do not hold it back."
    )


def test_chat_is_told_at_any_hour_unless_the_user_wants_otherwise():
    message = asked(category="chat", urgency=Urgency.INTERACTIVE, at=MIDNIGHT)

    assert decided(message, quiet=NIGHT) == SEND
    assert decided(message, quiet=replace(NIGHT, also=("chat",))) == (
        Answer.HOLD,
        Reason.QUIET_HOURS,
    )


def test_marketing_waits_for_the_morning_even_of_who_has_set_no_quiet_hours():
    decision = decide(replace(AD, at=MIDNIGHT), facts(AD, consents=AGREED))

    assert (decision.answer, decision.until) == (
        Answer.HOLD,
        datetime(2026, 5, 5, 7, 0, tzinfo=UTC),
    )


def test_whatever_it_is_called_marketing_needs_consent():
    disguised = asked(category="reminders", urgency=Urgency.MARKETING)

    assert decided(disguised) == (Answer.SUPPRESS, Reason.NO_CONSENT)
    assert decided(disguised, consents=AGREED) == SEND


def test_operators_describe_categories_of_their_own():
    rulebook = Rulebook(
        PreferenceOptions(
            categories={
                "account": CategoryOptions(quiet=Quiet.IGNORED, optional=False),
                "partners": CategoryOptions(consent=True),
            }
        )
    )
    account = asked(category="account", at=MIDNIGHT)
    partners = asked(category="partners")

    assert decided(account, rulebook=rulebook, quiet=NIGHT, categories={"account": False}) == SEND
    assert decided(partners, rulebook=rulebook) == (Answer.SUPPRESS, Reason.NO_CONSENT)
    agreed = {"partners": Consent(True, "1", NOON)}
    assert decided(partners, rulebook=rulebook, consents=agreed) == SEND


@pytest.mark.parametrize(
    "wrong",
    [
        {"categories": {"Chat!": CategoryOptions()}},
        {"categories": {"marketing": CategoryOptions()}},
        {"quiet_from": "late"},
        {"ramadan": ("18:00",)},
    ],
)
def test_options_that_nobody_can_mean_stop_the_start(wrong):
    with pytest.raises(ValueError, match=r"must|needs"):
        PreferenceOptions(**wrong)


_consents = st.dictionaries(
    st.sampled_from(["marketing", "news"]),
    st.builds(Consent, st.booleans(), st.just("v"), st.just(NOON)),
)
_choices = st.dictionaries(st.sampled_from(["chat", "reminders", "marketing"]), st.booleans())
_pushes = st.builds(
    Asked,
    category=st.sampled_from(["chat", "reminders", "marketing", "unheard_of"]),
    urgency=st.sampled_from(Urgency),
    at=st.sampled_from([NOON, MIDNIGHT]),
    expires_at=st.sampled_from([NOON, MIDNIGHT + timedelta(days=1)]),
    device_id=st.sampled_from([None, PHONE, TABLET]),
    time_zone=st.just("Africa/Algiers"),
    disabled_reason=st.sampled_from([None, "UNREGISTERED"]),
    alarmed=st.booleans(),
)


@given(
    push=_pushes,
    preferences=st.builds(
        UserPreferences,
        categories=_choices,
        devices=st.dictionaries(st.just(str(PHONE)), _choices),
        consents=_consents,
        quiet=st.sampled_from([None, NIGHT]),
    ),
    known=st.booleans(),
    muted=st.booleans(),
    busy=st.booleans(),
)
def test_what_is_explained_is_what_is_decided(push, preferences, known, muted, busy):
    said = Said({AMINA: preferences} if known else {}, muted={("t", AMINA)} if muted else ())
    found = USUAL.facts(said, AMINA, category=push.category, urgency=push.urgency, thread="t")
    found = replace(found, busy_until=push.at + timedelta(seconds=9) if busy else None)

    explained = explain(push, found)

    assert replace(explained.decision, why="") == replace(decide(push, found), why="")
    assert [name for name, _ in explained.rules] == [
        "time",
        "device",
        "alarm",
        "consent",
        "category",
        "mute",
        "quiet_hours",
        "frequency",
        "pace",
    ]
    assert all(decision.why for _, decision in explained.rules)
