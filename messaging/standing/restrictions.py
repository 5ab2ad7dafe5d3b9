"""What may stand against a user or a token, and whether it does. Pure; time is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from kernel.ids import UserId

TOKEN_ID_CHARACTERS = 255
"""A longer `jti` cannot be revoked by itself."""


class RestrictionKind(StrEnum):
    """What is refused: a user, one token, or the tokens a user was issued before an instant."""

    USER = "user"
    TOKEN = "token"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Restriction:
    """Something that stands against `subject`: the id of a user, or of a token (`jti`).

    With a `channel`, `TOKENS` is about subscription tokens of that channel only. `ends_at` is
    when it ends by itself; None is never.
    """

    kind: RestrictionKind
    subject: str
    imposed_at: datetime
    ends_at: datetime | None = None
    channel: str = ""
    issued_before: datetime | None = None
    reason: str = ""

    def ended(self, now: datetime) -> bool:
        """Whether it stands no longer."""
        return self.ends_at is not None and self.ends_at <= now


@dataclass(frozen=True, slots=True)
class Proof:
    """What a token says of itself, as far as anything can stand against it."""

    user_id: UserId
    token_id: str = ""
    issued_at: datetime | None = None
    channel: str = ""
    """Of a subscription token."""


def proof_of(user_id: UserId, claims: Mapping[str, object], *, channel: str = "") -> Proof:
    """The proof that the claims of a token are; what makes no sense in them is left out."""
    token_id, issued_at = claims.get("jti"), claims.get("iat")
    issued = None
    if isinstance(issued_at, int | float):
        try:
            issued = datetime.fromtimestamp(issued_at, UTC)
        except (OverflowError, OSError, ValueError):
            issued = None
    return Proof(user_id, token_id if isinstance(token_id, str) else "", issued, channel)


class Restrictions:
    """All that stands, at hand: looking something up neither waits nor costs anything.

    One entry takes some 300 bytes.
    """

    def __init__(self) -> None:
        self._users: dict[str, Restriction] = {}
        self._tokens: dict[str, Restriction] = {}
        self._issued: dict[str, dict[str, Restriction]] = {}

    def __len__(self) -> int:
        return len(self._users) + len(self._tokens) + sum(map(len, self._issued.values()))

    def holds(self, restriction: Restriction, *, now: datetime) -> bool:
        """Whether putting this restriction would change nothing."""
        if restriction.kind is RestrictionKind.TOKENS:
            held = self._issued.get(restriction.subject, {}).get(restriction.channel)
        elif restriction.kind is RestrictionKind.USER:
            held = self._users.get(restriction.subject)
        else:
            held = self._tokens.get(restriction.subject)
        return held is None if restriction.ended(now) else held == restriction

    def put(self, restriction: Restriction, *, now: datetime) -> None:
        """Take a restriction as it is now, in place of what it was."""
        ended = restriction.ended(now)
        if restriction.kind is RestrictionKind.TOKENS:
            there = self._issued.setdefault(restriction.subject, {})
            if ended:
                there.pop(restriction.channel, None)
            else:
                there[restriction.channel] = restriction
            if not there:
                del self._issued[restriction.subject]
            return
        table = self._users if restriction.kind is RestrictionKind.USER else self._tokens
        if ended:
            table.pop(restriction.subject, None)
        else:
            table[restriction.subject] = restriction

    def against(self, proof: Proof, *, now: datetime) -> Restriction | None:
        """What stands against whoever shows this proof; a block before anything else."""
        blocked = self._users.get(proof.user_id)
        if blocked is not None and not blocked.ended(now):
            return blocked
        revoked = self._tokens.get(proof.token_id) if proof.token_id else None
        if revoked is not None and not revoked.ended(now):
            return revoked
        issued = self._issued.get(proof.user_id)
        if issued is not None:
            for channel in {"", proof.channel}:
                invalid = issued.get(channel)
                if invalid is not None and not invalid.ended(now) and _before(proof, invalid):
                    return invalid
        return None

    def forget_ended(self, now: datetime) -> None:
        """Let go of what stands no longer."""
        for table in (self._users, self._tokens):
            for subject in [each for each, held in table.items() if held.ended(now)]:
                del table[subject]
        for subject, there in list(self._issued.items()):
            for channel in [each for each, held in there.items() if held.ended(now)]:
                del there[channel]
            if not there:
                del self._issued[subject]


def _before(proof: Proof, invalid: Restriction) -> bool:
    """Whether a token is one of those; one that does not say when it was issued may be old."""
    assert invalid.issued_before is not None
    return proof.issued_at is None or proof.issued_at < invalid.issued_before
