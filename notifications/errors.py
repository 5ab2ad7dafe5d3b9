"""What notifications refuse."""

from kernel.errors import Kind, Refusal


class DeviceNotFound(Refusal):
    """There is none, or it is somebody else's."""

    kind = Kind.NOT_FOUND
    code = "device.not_found"


class TemplateNotFound(Refusal):
    """No template has that name."""

    kind = Kind.NOT_FOUND
    code = "template.not_found"


class VariableMissing(Refusal):
    """A text needs a variable that was not given; the details name it."""

    kind = Kind.INVALID
    code = "template.variable_missing"

    def __init__(self, variable: str) -> None:
        super().__init__(f"The text needs the variable {variable!r}.", variable=variable)


class TemplateInvalid(Refusal):
    """A text cannot be rendered: a brace without its partner, or nothing to say."""

    kind = Kind.INVALID
    code = "template.invalid"


class PushTooLarge(Refusal):
    """What travels with the text leaves no room for it within a provider's limit."""

    kind = Kind.TOO_LARGE
    code = "push.too_large"


class NotificationNotFound(Refusal):
    """No notification and no push has that id, or it was pruned long ago."""

    kind = Kind.NOT_FOUND
    code = "notification.not_found"


class CampaignNotFound(Refusal):
    """There is no such campaign."""

    kind = Kind.NOT_FOUND
    code = "campaign.not_found"


class CampaignOver(Refusal):
    """The campaign was cancelled or has expired; nothing brings it back."""

    kind = Kind.CONFLICT
    code = "campaign.over"


class IdempotencyMismatch(Refusal):
    """The idempotency key was used before, for something else."""

    kind = Kind.CONFLICT
    code = "idempotency.mismatch"
