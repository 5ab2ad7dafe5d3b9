"""Our deltas, read by the decoders inside the official JavaScript client."""

import asyncio
import json
import random
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from messaging.protocol.fossil import delta
from tests.support.node import install, node

pytestmark = [pytest.mark.external]

HERE = Path(__file__).parent
WORDS = ["مبروك", "félicitations", "زفّة", "👰🏽", "seat", "guest", "\n", '"', "\\", " "]


def texts(seed: int) -> list[bytes]:
    """Payloads that follow each other: JSON texts of the same words, in another order."""
    chance = random.Random(seed)
    said = [chance.choices(WORDS, k=chance.randrange(200)) for _ in range(6)]
    said += [[*each[:40], *chance.choices(WORDS, k=3), *each[40:]] for each in said]
    return [json.dumps({"text": each}, ensure_ascii=False).encode() for each in said]


async def test_the_javascript_client_makes_the_same_of_our_deltas() -> None:
    await asyncio.to_thread(install, HERE)
    cases = [(one, two) for seed in range(20) for one in texts(seed) for two in texts(seed)]
    lines = [
        json.dumps(
            {"before": b64encode(one).decode(), "delta": b64encode(delta(one, two)).decode()}
        )
        for one, two in cases
    ]

    done = await asyncio.to_thread(
        subprocess.run,
        [node(), HERE / "fossil.mjs"],
        input="\n".join(lines).encode(),
        capture_output=True,
        timeout=60,
    )

    assert done.stderr == b""
    assert [b64decode(line) for line in done.stdout.split()] == [two for _, two in cases]
