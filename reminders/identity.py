"""What makes a firing this firing and no other. Pure.

Not the instant, the zone, the time of day or the text: those may change before it goes off,
and changing them afterwards must not make it go off again.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from uuid import UUID

from kernel.ids import UserId
from reminders.due import nominal
from reminders.types import Due

SHARDS = 32
"""Firings are claimed one shard at a time, so that a claim's cost does not grow with the
backlog. Fixed for ever: the number is stored. As many again are for what is prompt."""

ONCE = "0"
"""The occurrence of what does not recur."""

SOON = "soon"
"""The occurrence that stands in for policy reminders which came too late to be planned."""


def dedupe_key(
    rule_id: UUID, task_id: UUID, user_id: UserId, *, occurrence: str, due: Due
) -> bytes:
    """The firing's identity: 16 bytes.

    The task is in it because one rule may be about every task of an event.
    """
    parts = ("v1", _text_of(rule_id), _text_of(task_id), user_id, occurrence, nominal(due))
    text = "\x1f".join(parts)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


_text_of: Callable[[UUID], str] = lru_cache(maxsize=4096)(str)
"""Few rules speak of many tasks, and several of each: their names are written once."""


def collapse_key(key: bytes) -> str:
    """The same identity, short and printable: for devices."""
    return base64.b32encode(key).decode("ascii").rstrip("=").lower()


def notice_key(key: bytes) -> str:
    """What makes the notice that a firing becomes this notice and no other."""
    return f"reminder:{collapse_key(key)}"


def shared_key(key: bytes) -> str:
    """How devices know what is told together, of which this firing is the first."""
    return f"{collapse_key(key)}-with-others"


def shared_notice_key(key: bytes) -> str:
    """The same for the notice that tells it."""
    return f"reminder:{shared_key(key)}"


def digest_key(user_id: UserId, on: date) -> str:
    """What makes the notice of a user's digest on a day this notice and no other."""
    return f"digest:{user_id}:{on.isoformat()}"


def shard_of(user_id: UserId, *, prompt: bool = False) -> int:
    """Where a user's firings are claimed from; prompt ones wait in no line behind others."""
    shard = zlib.crc32(user_id.encode()) % SHARDS
    return shard + SHARDS if prompt else shard
