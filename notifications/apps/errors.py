"""What apps refuse."""

from kernel.errors import Kind, Refusal


class CredentialNotFound(Refusal):
    """The app has none of its own for this provider."""

    kind = Kind.NOT_FOUND
    code = "credential.not_found"


class NoSealingKey(Refusal):
    """The settings hold no key to keep credentials with."""

    kind = Kind.CONFLICT
    code = "credential.no_key"


class SealBroken(Refusal):
    """A kept credential cannot be read: its key is missing, or it was tampered with."""

    kind = Kind.CONFLICT
    code = "credential.unreadable"


class DefaultAppStays(Refusal):
    """The default app is always there."""

    kind = Kind.CONFLICT
    code = "app.default"
