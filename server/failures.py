"""What ends a command with a sentence instead of a traceback. Imports nothing that takes time."""


class SettingsError(Exception):
    """The settings cannot be used; `problems` says all of what is wrong, a sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class CannotStart(Exception):
    """A part of the house cannot be opened, for a reason that an operator can mend."""


class SchemaOutdated(Exception):
    """The database's schema is not the one this release needs."""
