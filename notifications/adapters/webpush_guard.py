"""Which push services may be used: a subscription is an address that a stranger chose.

Registration refuses what is no https address of a named host; here its origin must be allowed.
"""

from collections.abc import Sequence


def is_allowed(origin: str, allowed: Sequence[str]) -> bool:
    """Whether an origin is on the list: spelt out, `https://*.example.com`, or `*` for any."""
    for pattern in allowed:
        if pattern in ("*", origin):
            return True
        scheme, star, domain = pattern.partition("*.")
        if star and origin.startswith(scheme) and origin.endswith("." + domain):
            return True
    return False
