"""Log lines: one JSON object each, and no secrets."""

import json
import logging

import pytest

from server.logs import HumanFormatter, JsonFormatter, redacted, request_id


def record(message: str, *args: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("kernel.relay", logging.WARNING, __file__, 1, message, args, None)
    made.__dict__.update(fields)
    return made


def test_a_line_is_one_json_object_with_the_fields_given():
    text = JsonFormatter().format(record("outbox entry %s", "buried", kind="notice", attempts=3))

    line = json.loads(text)
    assert "\n" not in text
    assert line["at"].endswith("Z")
    assert (line["level"], line["logger"]) == ("warning", "kernel.relay")
    assert (line["message"], line["kind"], line["attempts"]) == ("outbox entry buried", "notice", 3)


def test_a_line_names_the_request_it_belongs_to():
    token = request_id.set("r-1")
    try:
        assert json.loads(JsonFormatter().format(record("x")))["request_id"] == "r-1"
    finally:
        request_id.reset(token)


def test_arabic_stays_readable():
    assert "الزفّة" in JsonFormatter().format(record("الزفّة"))


def test_a_line_feed_in_a_value_does_not_begin_a_new_line():
    assert "\n" not in JsonFormatter().format(record("x", title="a\nlevel=error"))


@pytest.mark.parametrize("odd", ["\n", "\x1b[2J", "\x9b", "\u202e", "\u2028", "\r"])
def test_what_strangers_write_does_not_move_an_operators_cursor(odd):
    shown = HumanFormatter(colours=True).format(record("asked", path=f"/v1/{odd}x"))

    assert odd not in shown
    assert "/v1/\\" in shown


@pytest.mark.parametrize(
    "secret",
    [
        "Authorization: Bearer abc.def-123",
        "X-API-Key: zaffa_k3y_0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
        "postgresql://zaffa:hunter22@db/zaffa",
        "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_not_written(secret):
    shown = redacted(f"refused {secret} today")

    for part in ("abc.def-123", "0123456789abcdef", "c2lnbmF0dXJl", "hunter22", "MIIabc"):
        assert part not in shown
    assert "refused" in shown


def test_a_field_named_like_a_secret_is_not_written():
    line = json.loads(JsonFormatter().format(record("x", push_token="abc", api_key="d")))

    assert (line["push_token"], line["api_key"]) == ("[redacted]", "[redacted]")


def test_secrets_in_tracebacks_are_not_written():
    try:
        raise ValueError("Bearer abcdef.123456")
    except ValueError as error:
        failed = record("x")
        failed.exc_info = (ValueError, error, error.__traceback__)

    assert "abcdef.123456" not in JsonFormatter().format(failed)
    assert "abcdef.123456" not in HumanFormatter(colours=False).format(failed)


def test_people_read_time_level_message_and_fields():
    line = HumanFormatter(colours=False).format(record("node ready", port=8000))

    assert line.endswith("warning node ready  port=8000")
