"""What operators may set about the server API."""

from dataclasses import dataclass

from kernel.options import option

KEY_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """The server API under `/api`, as Centrifugo has it."""

    key: str = option(
        "",
        "A fixed key of the server API, for back ends that have one already; others are made by"
        " `zaffa key create`, can be told apart and revoked.",
        secret=True,
    )
    broadcast_channels: int = option(1_000, "Channels of one broadcast, at most.")
    batch_commands: int = option(1_000, "Commands of one batch, at most.")
    survey_seconds: float = option(
        3.0, "How long the nodes may take to answer a question that is put to all of them."
    )

    def __post_init__(self) -> None:
        if self.key and len(self.key) < KEY_CHARACTERS:
            raise ValueError(f"key must have at least {KEY_CHARACTERS} characters")
        if not self.key.isascii() or not self.key.isprintable():
            raise ValueError("key must be printable ASCII")
        if self.broadcast_channels < 1 or self.batch_commands < 1:
            raise ValueError("broadcast_channels and batch_commands must be at least 1")
        if self.survey_seconds <= 0:
            raise ValueError("survey_seconds must be above 0")
