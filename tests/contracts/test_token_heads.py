"""The heads of tokens that are remembered: they save looking, and let nobody in."""

import jwt
import pytest

from kernel.adapters.jwt import HEADS, JwtVerifier
from kernel.errors import TokenExpired, Unauthenticated
from tests.support.clock import START, ManualClock
from tests.support.tokens import SECRET, TOKEN_OPTIONS

OTHER_SECRET = "another secret that is 32 bytes long or longer"


def token(sub: str = "amina", *, key: str = SECRET, **headers: object) -> str:
    claims = {"sub": sub, "exp": int(START.timestamp()) + 60}
    return jwt.encode(claims, key, algorithm="HS256", headers=headers)


async def refused(tokens: JwtVerifier, text: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await tokens.verify(text)
    assert not isinstance(caught.value, TokenExpired)


@pytest.fixture
def tokens(clock: ManualClock) -> JwtVerifier:
    return JwtVerifier(TOKEN_OPTIONS, clock)


async def test_a_head_that_was_seen_before_lets_nobody_else_in(tokens, clock):
    for _ in range(2):
        good, foreign = token(kid="k"), token(kid="k", key=OTHER_SECRET)
        head, payload, signature = good.split(".")
        await tokens.verify(good)
        for bad in (
            foreign,
            f"{head}.{payload}.",
            f"{head}.{payload}",
            f"{head}.{payload}.{signature}.x",
            f"{head}.{payload}.{signature}é",
            f"{head}.{token('karim').split('.')[1]}.{signature}",
            good + "x" * 20_000,
        ):
            await refused(tokens, bad)
    clock.move(hours=1)
    with pytest.raises(TokenExpired):
        await tokens.verify(good)


async def test_however_many_heads_are_seen_all_are_checked(tokens):
    for number in range(2 * HEADS):
        await tokens.verify(token(kid="", number=number))
        await refused(tokens, token(kid="", number=number, key=OTHER_SECRET))
