"""What an operator may choose about credentials."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass

from kernel.options import option

KEY_BYTES = 32

GOOGLE = ("https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token")


@dataclass(frozen=True, slots=True)
class CredentialOptions:
    """How apps' credentials are kept and followed."""

    keys: tuple[str, ...] = option(
        (),
        "Keys that credentials in the database are sealed with, as ID:KEY of 32 bytes in"
        " base64url, such as `zaffa apps make-key` prints. The first seals, all of them open.",
        secret=True,
    )
    refresh_seconds: float = option(5.0, "How long a change of credentials takes, at most.")
    token_uris: tuple[str, ...] = option(
        GOOGLE, "Where the service account of an app may be sent for its bearer; `*` for anywhere."
    )

    def __post_init__(self) -> None:
        ids = [each.partition(":")[0] for each in self.keys]
        if not all(ids) or len(set(ids)) < len(ids):
            raise ValueError("keys must begin with an id of their own each, then a colon")
        if any(len(key_of(each)) != KEY_BYTES for each in self.keys):
            raise ValueError("keys must be 32 bytes in base64url each")
        if any(len(each) > 64 for each in ids):
            raise ValueError("keys must have ids of at most 64 characters")
        if self.refresh_seconds <= 0:
            raise ValueError("refresh_seconds must be above 0")


def key_of(text: str) -> bytes:
    """The key in `ID:KEY`; empty if it is none."""
    bare = text.partition(":")[2].rstrip("=")
    try:
        return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError:
        return b""
