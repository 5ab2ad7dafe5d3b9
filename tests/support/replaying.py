"""Replays for tests: a real chat where the samples are, and one that is made up."""

import random
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from kernel.clock import SystemClock
from server.demo.replay import Replay
from server.demo.replay_log import ChatLine, Kind, read_log
from server.demo.replay_stage import Manner, Stage
from server.demo.replay_verdict import Verdict
from tests.support.running import ROOT, RunningHouse

SAMPLES = ROOT.parent / "shared" / "data" / "chat"
"""Real chat logs, where the checkout has them beside it."""

_WORDS = (
    *("السلام", "عليكم", "القاعة", "غدا", "إن شاء الله", "d’accord", "à demain", "كيفاش"),
    *(
        "rak",
        "labes",
        "3lik",
        "wedding",
        "🎉",
        "👩‍👩‍👧",
        "<b>&amp;</b>",
        '"quoted"',
        "\\n",
        "1\u00a0000",
    ),
)


def made_up(*, lines: int, speakers: int = 6, silent: int = 6, seed: int = 1) -> list[ChatLine]:
    """A lively chat in three languages; the same for the same seed."""
    dice = random.Random(seed)
    nicks = [f"speaker {number}" for number in range(speakers)]
    log = [
        ChatLine(number, 0.0, Kind.JOIN, f"silent|{number}", "") for number in range(1, silent + 1)
    ]
    for number in range(silent + 1, silent + 1 + lines):
        nick = nicks[number - silent - 1] if number <= silent + speakers else dice.choice(nicks)
        text = f"{number} " + " ".join(dice.choices(_WORDS, k=dice.randint(1, 12)))
        kind = Kind.ACTION if dice.random() < 0.1 else Kind.MESSAGE
        log.append(ChatLine(number, float(number), kind, nick, text))
    return log


def real(name: str, *, limit: int) -> Sequence[ChatLine] | None:
    """The beginning of a real log, if the samples are there."""
    file = SAMPLES / name
    return read_log(file, limit=limit) if file.exists() else None


def replay_on(
    gateways: Sequence[RunningHouse],
    lines: Sequence[ChatLine],
    *,
    sandbox: str,
    manner: Manner | None = None,
) -> Replay:
    """A replay by the clients of these nodes."""
    return Replay(
        lines,
        stage=Stage(
            servers=[node.url for node in gateways],
            sandbox=sandbox,
            token=partial(gateways[0].token),
        ),
        manner=manner or Manner(),
        clock=SystemClock(),
    )


def told(verdict: Verdict, logs: Mapping[str, Path] | None = None) -> str:
    """A verdict for a failed test, with the end of what the nodes logged."""
    ends = [f"--- {name}\n{log.read_text()[-2000:]}" for name, log in (logs or {}).items()]
    return "\n".join([*verdict.lines(), *ends])
