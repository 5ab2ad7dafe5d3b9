import json

from kernel.errors import (
    InvalidInput,
    Kind,
    RateLimited,
    Refusal,
    TokenExpired,
    Unauthenticated,
)


def all_refusals(of=Refusal):
    for each in of.__subclasses__():
        yield each
        yield from all_refusals(each)


def test_a_refusal_has_a_kind_a_code_a_sentence_and_details():
    refusal = Refusal("Not now.", until="noon")

    assert (refusal.kind, refusal.code, str(refusal)) == (Kind.INVALID, "invalid", "Not now.")
    assert refusal.details == {"until": "noon"}


def test_an_invalid_input_names_the_field_and_the_rule():
    refusal = InvalidInput("size", "must be above 0")

    assert refusal.message == "size: must be above 0"
    assert refusal.details == {"field": "size", "rule": "must be above 0"}


def test_a_limit_says_when_to_come_back():
    refusal = RateLimited("Slow down.", retry_after=1.23456)

    assert refusal.retry_after == 1.23456
    assert json.dumps(dict(refusal.details)) == '{"retry_after": 1.235}'


def test_an_expired_token_is_no_proof():
    assert issubclass(TokenExpired, Unauthenticated)


def test_no_two_refusals_of_the_kernel_share_a_code():
    codes = [each.code for each in all_refusals() if each.__module__ == "kernel.errors"]

    assert len(codes) == len(set(codes)) == 6
