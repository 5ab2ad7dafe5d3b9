"""What is planned of a task by no rule of its own, or of its later occurrences. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from reminders.firing import Firing
from reminders.identity import collapse_key
from reminders.tracing import Layer, Trace, trace_of
from reminders.usual import OPENS, SNOOZED

AHEAD = timedelta(days=35)
"""As far as plans reach by default: what comes again for ever is not told for ever."""


def further_traces(planned: Sequence[Firing], known: Sequence[Trace], now: datetime) -> list[Trace]:
    """The planned firings that are to come soon and that no trace is about yet, in order."""
    layers = {each.rule_id: each.layer for each in known}
    keys = {each.key for each in known}
    return [
        _traced(each, layers, now)
        for each in planned
        if now < each.due_at < now + AHEAD and collapse_key(each.dedupe_key) not in keys
    ]


def _traced(firing: Firing, layers: Mapping[UUID, Layer], now: datetime) -> Trace:
    if firing.rule_id == SNOOZED:
        layer, reason = Layer.USER, "the user asked to be told again"
    elif firing.rule_id == OPENS:
        layer, reason = Layer.PRODUCT, "it can be done from then on"
    else:
        layer, reason = layers.get(firing.rule_id, Layer.TASK), "a later occurrence"
    return trace_of(firing, reason, layer, now)
