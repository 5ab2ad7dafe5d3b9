"""The labels of connections: texts that their tokens say, which clients cannot change."""

from kernel.identity import Principal

META, LABELS = "meta", "labels"
"""The claims of an access token that hold them; clients never see either."""


def labels_of(principal: Principal) -> dict[str, str]:
    """What a connection is labelled with."""
    labels: dict[str, str] = {}
    for claim in (META, LABELS):
        said = principal.claims.get(claim)
        if isinstance(said, dict):
            labels.update((name, text) for name, text in said.items() if isinstance(text, str))
    return labels
