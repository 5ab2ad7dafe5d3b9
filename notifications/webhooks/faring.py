"""How a webhook fares: when it rests, and when it has failed for too long. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from notifications.webhooks.types import Answer, Webhook

GONE = 410
"""The answer of who wants to hear nothing more, ever."""

RESTS = (5.0, 900.0)
"""Seconds: the first rest of a webhook that fails, and the longest. Each is twice the last."""


def after_failure(
    webhook: Webhook, answer: Answer, *, now: datetime, patience: timedelta
) -> Webhook:
    """What becomes of a webhook that did not answer well."""
    since = webhook.failing_since or now
    said = answer.error or f"status {answer.status}"
    failing = replace(webhook, failing_since=since)
    if answer.status == GONE:
        return replace(failing, enabled=False, disabled_reason="it answered 410: gone for good")
    if now - since >= patience:
        reason = f"it has failed since {since:%Y-%m-%d %H:%M}Z, last with: {said}"
        return replace(failing, enabled=False, disabled_reason=reason[:255])
    if webhook.resting_until is not None and now < webhook.resting_until:
        # Tries that were under way when the rest began do not make it longer.
        return failing
    first, longest = RESTS
    rest = min(longest, first * 2.0 ** min(webhook.failures, 32))
    return replace(
        failing, failures=webhook.failures + 1, resting_until=now + timedelta(seconds=rest)
    )


def well(webhook: Webhook) -> Webhook:
    """A webhook that answered well: its earlier failures no longer count."""
    return replace(webhook, failing_since=None, failures=0, resting_until=None)
