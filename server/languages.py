"""Which languages a browser's reader wants. Pure."""


def languages_of(accepted: str) -> list[str]:
    """The languages of an `Accept-Language` header, the preferred one first."""
    choices: list[tuple[float, str]] = []
    for part in accepted.split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        choices.append((-weight, tag.partition("-")[0].lower()))
    # The sort is stable: of equal weights, the one named first.
    return [tag for weight, tag in sorted(choices, key=lambda each: each[0]) if weight]
