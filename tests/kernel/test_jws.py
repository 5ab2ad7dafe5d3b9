"""Headers and shared-secret signatures of tokens, beside those that PyJWT makes."""

import base64
import json
from contextlib import suppress
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.adapters.jws import DIGESTS, header_of, signed_by_secret

SECRET = b"a secret that only the tests know, long enough for SHA-512: 64 bytes"


def token(algorithm: str = "HS256", claims: Any = None, **header: Any) -> str:
    return jwt.encode(claims or {"sub": "amina"}, SECRET, algorithm=algorithm, headers=header)


def spelt(header: object) -> str:
    """A token with any header, signed by nobody."""
    text = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{text}.e30.c2ln"


@pytest.mark.parametrize("algorithm", DIGESTS)
@given(claims=st.dictionaries(st.text(), st.text() | st.integers(), min_size=1))
def test_what_was_signed_with_the_secret_is_read(algorithm, claims):
    made = token(algorithm, {**claims, "sub": "amina"}, kid="k")

    header = header_of(made)
    payload = signed_by_secret(made, DIGESTS[algorithm], SECRET)

    assert (header.alg, header.kid) == (algorithm, "k")
    assert payload is not None
    assert json.loads(payload) == {**claims, "sub": "amina"}


def test_nothing_else_is():
    made = token()
    head, payload, signature = made.split(".")
    other = token(claims={"sub": "karim"}).split(".")

    assert signed_by_secret(made, "sha256", SECRET + b"!") is None
    assert signed_by_secret(made, "sha384", SECRET) is None
    assert signed_by_secret(f"{head}.{other[1]}.{signature}", "sha256", SECRET) is None
    for spelling in (f"{signature}=", signature[:-1], signature + "\n", "", f"{signature}.x"):
        assert signed_by_secret(f"{head}.{payload}.{spelling}", "sha256", SECRET) is None


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "a.b",
        "a.b.c.d",
        "é.e30.x",
        "e30.e30.x",
        "!!!!.e30.x",
        spelt([]),
        spelt({"kid": "k"}),
        spelt({"alg": 7}),
        spelt({"alg": "HS256", "kid": 7}),
        spelt({"alg": "HS256", "crit": ["exp"]}),
        spelt({"alg": "HS256", "b64": False}),
    ],
)
def test_a_header_that_no_token_of_ours_has_is_refused(malformed):
    with pytest.raises(ValueError, match=r"."):
        header_of(malformed)


@given(st.text() | st.text(alphabet="ey30.-_=A").map(lambda text: f"{text}.e30.x"))
def test_no_text_does_more_than_be_refused(text):
    with suppress(ValueError):
        header_of(text)


def test_a_header_nested_without_end_is_refused():
    deep = base64.urlsafe_b64encode(b'{"alg":"HS256","x":' + b"[" * 6000).decode().rstrip("=")
    with pytest.raises(ValueError, match=r"."):
        header_of(f"{deep}.e30.x")
