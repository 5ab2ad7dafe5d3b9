"""From a channel's name to its rules."""

import pytest

from kernel.ids import UserId
from messaging.channels.namespaces import (
    PERSONAL,
    ChannelOptions,
    ChannelSettings,
    Namespaces,
    is_private,
    users_named_by,
)

PLAIN, HALL, MINE = (ChannelOptions(history_size=size, history_ttl=1) for size in (1, 2, 3))
SETTINGS = ChannelSettings(without_namespace=PLAIN, namespaces={"hall": HALL})


@pytest.mark.parametrize(
    ("channel", "options"),
    [
        ("news", PLAIN),
        ("$news", PLAIN),
        ("#amina", PLAIN),
        ("hall:1", HALL),
        ("$hall:1", HALL),
        ("hall:1:2", HALL),
        ("hall:", HALL),
        ("user:amina", PERSONAL),
        ("$$hall:1", None),
        ("Hall:1", None),
        (":1", None),
        ("conversation:1", None),
    ],
)
def test_a_name_says_whose_rules_hold(channel, options):
    assert Namespaces(SETTINGS).options_of(channel) is options


def test_what_may_be_done_in_personal_channels_can_be_said_anew():
    settings = ChannelSettings(namespaces={"user": MINE})

    assert Namespaces(settings).options_of("user:amina") is MINE


@pytest.mark.parametrize(
    ("channel", "users"),
    [
        ("hall:1", None),
        ("hall:1#amina", {"amina"}),
        ("hall:1#amina,karim", {"amina", "karim"}),
        ("hall:1#a#amina", {"amina"}),
        ("#amina", {"amina"}),
        ("#", {""}),
        ("user:amina", {"amina"}),
        ("user:a#b", {"a#b"}),
    ],
)
def test_a_name_says_for_whom_it_is(channel, users):
    assert users_named_by(channel) == users


def test_a_sign_makes_a_channel_private():
    assert is_private("$hall:1")
    assert not is_private("hall:$1")


@pytest.mark.parametrize(
    ("namespace", "channel"),
    [("user", "user:amina"), ("", "#amina"), ("hall", "hall:#amina")],
)
def test_a_users_own_channel_is_named_as_set(namespace, channel):
    settings = ChannelSettings(namespaces={"hall": HALL}, personal_namespace=namespace)
    namespaces = Namespaces(settings)

    assert namespaces.personal_channel(UserId("amina")) == channel
    assert "amina" in (users_named_by(channel) or ())


def test_nothing_is_kept_and_nobody_may_anything_by_default():
    options = ChannelOptions()

    assert not options.keeps
    assert not any(
        getattr(options, name) for name in options.__struct_fields__ if name.startswith("allow_")
    )
