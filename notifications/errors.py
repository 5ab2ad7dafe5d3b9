"""What notifications refuse."""

from kernel.errors import Kind, RateLimited, Refusal


class DeviceNotFound(Refusal):
    """There is none, or it is somebody else's."""

    kind = Kind.NOT_FOUND
    code = "device.not_found"


class AppNotFound(Refusal):
    """No app has that id."""

    kind = Kind.NOT_FOUND
    code = "app.not_found"


class TemplateNotFound(Refusal):
    """No template has that name."""

    kind = Kind.NOT_FOUND
    code = "template.not_found"


class TemplateFull(Refusal):
    """A template has as many versions as it may have."""

    kind = Kind.CONFLICT
    code = "template.full"


class VariableMissing(Refusal):
    """A text needs a variable that was not given; the details name all three."""

    kind = Kind.INVALID
    code = "template.variable_missing"

    def __init__(self, variable: str, *, template: str = "", locale: str = "") -> None:
        where = _where(template, locale)
        super().__init__(
            f"{where} needs the variable {variable!r}.",
            variable=variable,
            template=template,
            locale=locale,
        )


class VariableUnknown(Refusal):
    """A variable was given, or is used by a text, that the template does not have."""

    kind = Kind.INVALID
    code = "template.variable_unknown"

    def __init__(self, variable: str, *, template: str = "", locale: str = "") -> None:
        super().__init__(
            f"{_where(template, locale)} has no variable {variable!r}.",
            variable=variable,
            template=template,
            locale=locale,
        )


class VariableUnfit(Refusal):
    """A text needs a number where it was given words, or words where it was given a number."""

    kind = Kind.INVALID
    code = "template.variable_unfit"

    def __init__(self, variable: str, wanted: str, *, template: str = "", locale: str = "") -> None:
        super().__init__(
            f"{_where(template, locale)} needs {wanted} in the variable {variable!r}.",
            variable=variable,
            wanted=wanted,
            template=template,
            locale=locale,
        )


def _where(template: str, locale: str) -> str:
    named = f"The template {template!r}" if template else "The text"
    return f"{named} in {locale!r}" if locale else named


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


class SendsLimited(RateLimited):
    """Too much is sent at once; the details name the limit, and the user it is about."""

    code = "push.limited"

    def __init__(self, message: str, *, limit: str, retry_after: float, user_id: str) -> None:
        super().__init__(message, retry_after=retry_after)
        about = {"user_id": user_id} if user_id else {}
        self.details = {**self.details, "limit": limit, **about}


class SendNotFound(Refusal):
    """There is no such send, or it was pruned long ago."""

    kind = Kind.NOT_FOUND
    code = "send.not_found"


class ListNotFound(Refusal):
    """No list of users has that name."""

    kind = Kind.NOT_FOUND
    code = "list.not_found"


class WebhookNotFound(Refusal):
    """There is no such webhook."""

    kind = Kind.NOT_FOUND
    code = "webhook.not_found"


class TooManyWebhooks(Refusal):
    """There are as many as there may be."""

    kind = Kind.CONFLICT
    code = "webhook.too_many"


class DeliveryNotFound(Refusal):
    """There is no such delivery, or it was pruned long ago."""

    kind = Kind.NOT_FOUND
    code = "delivery.not_found"


class CampaignNotFound(Refusal):
    """There is no such campaign."""

    kind = Kind.NOT_FOUND
    code = "campaign.not_found"


class CampaignStarted(Refusal):
    """What a campaign says cannot be changed any more."""

    kind = Kind.CONFLICT
    code = "campaign.started"


class CampaignUnstarted(Refusal):
    """A draft cannot be resumed: it has to be started."""

    kind = Kind.CONFLICT
    code = "campaign.not_started"


class CampaignOver(Refusal):
    """The campaign was cancelled or has expired; nothing brings it back."""

    kind = Kind.CONFLICT
    code = "campaign.over"


class IdempotencyMismatch(Refusal):
    """The idempotency key was used before, for something else."""

    kind = Kind.CONFLICT
    code = "idempotency.mismatch"
