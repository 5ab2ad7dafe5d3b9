"""What is wrong with the settings of channels is told with namespace, option and rule."""

import json

import pytest

from server.failures import SettingsError
from server.settings import load
from server.wiring.groups import Settings


@pytest.mark.parametrize(
    ("namespace", "complaint"),
    [
        ({"presense": True}, "in hall: presense is unknown; did you mean presence?"),
        ({"presence": "yes"}, "in hall: expected `bool`, got `str` - at `$.presence`"),
        ({"history_size": 5}, "in hall: history_size and history_ttl go together"),
        ({"history_size": -1}, "in hall: expected `int` >= 0 - at `$.history_size`"),
        ({"history_size": 5, "history_ttl": "soon"}, "in hall: history_ttl must be seconds or"),
        (
            {"history_size": 5, "history_ttl": 9, "history_meta_ttl": 8},
            "in hall: history_meta_ttl must be at least history_ttl",
        ),
        ({"force_recovery": True}, "in hall: positioning and recovery need history_size"),
        ({"allow_positioning": True}, "in hall: positioning and recovery need history_size"),
        ({"channel_regex": "("}, "in hall: channel_regex is no regular expression"),
        ({"allowed_delta_types": ["xdelta"]}, 'in hall: allowed_delta_types may hold "fossil"'),
        (7, "in hall: expected `object`, got `int`"),
    ],
)
def test_what_is_wrong_with_a_namespace_names_it_and_its_option(namespace, complaint):
    namespaces = json.dumps({"hall": namespace, "fine": {"presence": True}})

    with pytest.raises(SettingsError) as caught:
        load(Settings, environment={"ZAFFA_CHANNELS_NAMESPACES": namespaces})

    assert f"(channels.namespaces): {complaint}" in str(caught.value)


def test_everything_that_is_wrong_with_namespaces_is_told_at_once(tmp_path):
    file = tmp_path / "zaffa.toml"
    file.write_text(
        "[channels.namespaces.hall]\npresense = true\n"
        "[channels.namespaces.stage]\nhistory_size = 1\n"
        "[channels.without_namespace]\njoin_leaf = true\n"
    )

    with pytest.raises(SettingsError) as caught:
        load(Settings, environment={}, file=file)

    for complaint in ("in hall: presense", "in stage: history_size", "did you mean join_leave?"):
        assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("channels", "complaint"),
    [
        ({"NAMESPACES": '{"conversation": {}}'}, "must not hold conversation: it is ours"),
        ({"NAMESPACES": '{"x": {}}'}, "must be named by [-a-zA-Z0-9_.]{2,64}, not 'x'"),
        ({"NAMESPACES": '{"a:b": {}}'}, "must be named by"),
        ({"PERSONAL_NAMESPACE": "nowhere"}, "must be empty, `user` or one of the namespaces"),
        ({"DATA_BYTES": "0"}, "must be from 1 to 16777216"),
        ({"IDEMPOTENCY_SECONDS": "0"}, "must be above 0"),
        ({"NAMESPACES": "{"}, "expected JSON"),
        ({"NAMESPACES": "[]"}, "expected `object`"),
    ],
)
def test_what_is_wrong_with_channels_says_setting_and_rule(channels, complaint):
    environment = {f"ZAFFA_CHANNELS_{name}": text for name, text in channels.items()}

    with pytest.raises(SettingsError) as caught:
        load(Settings, environment=environment)

    assert complaint in str(caught.value)
