"""Logs are checked before a replay begins; the cast they ask for is always playable."""

import json
from pathlib import Path

import pytest

from kernel.ids import is_user_id
from server.demo.replay_cast import EXTRAS, cast_of, user_of
from server.demo.replay_log import BadLine, ChatLine, Kind, mixed_in, read_log, read_phrases
from tests.support.replaying import SAMPLES, made_up

GOOD = {"at": "09:14", "kind": "message", "nick": "crimsun", "text": "السلام"}


def written(tmp_path: Path, *lines: object) -> Path:
    file = tmp_path / "chat.jsonl"
    encoded = [
        line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()
        for line in lines
    ]
    file.write_bytes(b"\n".join(encoded) + b"\n")
    return file


def test_times_go_on_past_midnight_and_are_spread_within_a_minute(tmp_path: Path):
    ats = ("23:59", "23:59", "00:01", "00:00")
    lines = read_log(written(tmp_path, *({**GOOD, "at": at} for at in ats)))

    assert [line.at for line in lines] == [0.0, 30.0, 120.0, 86_460.0]


def test_an_action_reads_as_irc_shows_it(tmp_path: Path):
    [line] = read_log(written(tmp_path, {**GOOD, "kind": "action", "text": "waves"}))

    assert line.is_said
    assert line.spoken == "* crimsun waves"


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"", "this one is empty"),
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (b"\xff\xfe", "malformed"),
        (b'{"at":"09:14","kind":"message","nick":"a","text":"\\ud800 and more"}', "surrogate"),
        (b'{"at":"09:14","kind":"message","nick":"a","text":"\xff"}', "UTF-8"),
        ({**GOOD, "at": "24:00"}, "$.at"),
        ({**GOOD, "at": 914}, "$.at"),
        ({**GOOD, "kind": "kick"}, "$.kind"),
        ({**GOOD, "nick": ""}, "$.nick"),
        ({**GOOD, "text": None}, "$.text"),
        ({**GOOD, "text": "a\x00b"}, "NUL"),
        ({**GOOD, "text": "a" * 8_001}, "$.text"),
        ({**GOOD, "text": "a" * 70_000}, "at most 65536 bytes"),
        ({**GOOD, "more": 1}, "more"),
        ({"at": "09:14", "kind": "message", "nick": "a"}, "text"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_rule(tmp_path: Path, line: object, rule: str):
    file = written(tmp_path, GOOD, line, GOOD)

    with pytest.raises(BadLine) as caught:
        read_log(file)

    assert caught.value.number == 2
    assert f"{file}, line 2: " in str(caught.value)
    assert rule in str(caught.value)
    assert len(read_log(file, limit=1)) == 1


@pytest.mark.parametrize("lines", [[], [{**GOOD, "kind": "join"}]])
def test_a_log_in_which_nobody_speaks_cannot_be_replayed(tmp_path: Path, lines: list[object]):
    file = tmp_path / "chat.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    with pytest.raises(BadLine, match="nobody has said anything"):
        read_log(file)


def test_phrases_are_mixed_in_by_whoever_has_just_spoken(tmp_path: Path):
    (tmp_path / "a.txt").write_text("واحد\n\nاثنان\nثلاثة\n")
    (tmp_path / "b.txt").write_text("un\n")
    phrases = read_phrases([tmp_path])
    log = made_up(lines=12, speakers=3)

    mixed = mixed_in(log, phrases, every=4)

    assert phrases == ["واحد", "un", "اثنان", "ثلاثة"]
    added = [n for n, line in enumerate(mixed) if line.text in phrases]
    assert [mixed[n].text for n in added] == ["واحد", "un", "اثنان"]
    assert all(mixed[n].nick == mixed[n - 1].nick for n in added)
    assert len(mixed) == len(log) + 3


def test_half_of_the_silent_listens_and_the_rest_is_away_with_either_kind_of_phone():
    cast = cast_of(made_up(lines=30, speakers=3, silent=9))

    assert (len(cast.speakers), len(cast.readers), len(cast.away)) == (3, 5, 4)
    kinds = [cast.phones[user].kind for user in cast.away]
    assert kinds == ["fcm_token", "apns", "fcm_token", "apns"]
    assert set(cast.phones) == set(cast.everybody)
    assert len({phone.address for phone in cast.phones.values()}) == len(cast.everybody)


def test_a_log_without_silent_nicks_gets_some():
    cast = cast_of(made_up(lines=30, speakers=3, silent=0))

    assert [*cast.readers, *cast.away] == [EXTRAS[0], EXTRAS[2], EXTRAS[1], EXTRAS[3]]


@pytest.mark.parametrize(
    "nick", ["[N] ame", "\u202eevil", " ", "ا" * 200, "a\x07b", "🎉", "\u2028", "tab\there"]
)
def test_any_nick_becomes_a_user_id(nick: str):
    assert is_user_id(user_of(nick))


def test_nicks_that_look_alike_become_different_users():
    log = [
        ChatLine(n, 0.0, Kind.MESSAGE, nick, "hi") for n, nick in enumerate(["a b", "a\tb", "a_b"])
    ]

    assert cast_of(log).speakers == ["a_b", "a_b-2", "a_b-3"]


def test_every_real_log_can_be_cast():
    for file in sorted(SAMPLES.glob("*.jsonl")):
        cast = cast_of(read_log(file))
        assert all(is_user_id(user) for user in cast.everybody)
        assert len(set(cast.everybody)) == len(cast.everybody) > 90
        assert cast.away
