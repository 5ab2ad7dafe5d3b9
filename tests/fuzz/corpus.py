"""What the official clients really send, and what they are answered: seeds for the fuzzers.

One file for each target, one input a line, in base 64. `python -m tests.fuzz.record` makes them.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "seeds"


def seeds(target: str) -> list[bytes]:
    """The recorded inputs of a target; none where nothing could be recorded."""
    path = FOLDER / f"{target}.txt"
    return [b64decode(line) for line in path.read_text().split()] if path.is_file() else []


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Replace the recorded inputs of a target."""
    FOLDER.mkdir(exist_ok=True)
    lines = sorted(
        {b64encode(each).decode() for each in inputs}, key=lambda line: (len(line), line)
    )
    (FOLDER / f"{target}.txt").write_text("".join(f"{line}\n" for line in lines))
