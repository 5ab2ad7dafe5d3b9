"""Firings and explanations as bodies of the room's API. Pure."""

from reminders import schemas, told_schemas
from reminders.aftermath import Told
from reminders.explain import Explained
from reminders.firing import ABOUT_EVENT, Coming
from reminders.identity import collapse_key
from reminders.times import ZONE_DATA_VERSION, wall_of
from reminders.tracing import Trace


def firings_answer(coming: Coming) -> schemas.FiringsAnswer:
    titles = coming.titles
    firings = [
        schemas.FiringBody(
            firing=collapse_key(firing.dedupe_key),
            due_at=firing.due_at,
            wall=wall_of(firing.due_at, firing.zone).isoformat(),
            zone=firing.zone,
            event_id=firing.event_id,
            event_title=titles.get(firing.event_id, ""),
            task_id=None if firing.firing_class in ABOUT_EVENT else firing.task_id,
            # In the place of a task may stand the event, which has a title too.
            task_title=None if firing.firing_class in ABOUT_EVENT else titles.get(firing.task_id),
            rule_id=firing.rule_id,
            user_id=firing.user_id,
            firing_class=str(firing.firing_class),
        )
        for firing in coming.items
    ]
    return schemas.FiringsAnswer(firings=firings, cursor=coming.cursor)


def explanation_answer(explained: Explained) -> schemas.ExplanationAnswer:
    return schemas.ExplanationAnswer(
        zone_data=ZONE_DATA_VERSION,
        traces=[_trace_body(trace) for trace in explained.traces],
        settled=[
            schemas.SettledBody(
                rule_id=each.rule_id,
                due_at=each.due_at,
                decided_at=each.decided_at,
                outcome=str(each.outcome),
                reason=each.reason,
                told_at=each.told_at,
                told=_told_body(explained.told_of(each)),
            )
            for each in explained.settled
        ],
        holding=[
            told_schemas.HoldingBody(
                device_id=each.device_id,
                alarms=len(each.alarms),
                until=each.until,
                acknowledged_at=each.acknowledged_at,
                stale_at=each.stale_at,
            )
            for each in explained.holding
        ],
    )


def _told_body(told: Told | None) -> told_schemas.ToldBody | None:
    if told is None:
        return None
    return told_schemas.ToldBody(
        standing=str(told.standing),
        reason=told.reason,
        notification_id=told.notification_id,
        at=told.at,
        devices=[
            told_schemas.OnDeviceBody(
                push_id=each.push_id,
                device_id=each.device_id,
                platform=each.platform,
                state=each.state,
                reason=each.reason,
                attempts=[
                    told_schemas.AttemptedBody(verdict=a.verdict, reason=a.reason, at=a.at)
                    for a in each.attempts
                ],
                reports=[told_schemas.ReportedBody(event=r.event, at=r.at) for r in each.reports],
            )
            for each in told.devices
        ],
    )


def _trace_body(trace: Trace) -> schemas.TraceBody:
    offset = trace.utc_offset
    return schemas.TraceBody(
        rule_id=trace.rule_id,
        firing=trace.key,
        layer=str(trace.layer),
        lead=trace.lead,
        firing_class=None if trace.firing_class is None else str(trace.firing_class),
        state=str(trace.state),
        reason=trace.reason,
        due=trace.due,
        due_by=trace.due_by,
        wall=None if trace.wall is None else trace.wall.isoformat(),
        zone=trace.zone,
        zone_by=trace.zone_by,
        utc_offset_seconds=None if offset is None else int(offset.total_seconds()),
        due_at=trace.due_at,
        moved_by=trace.moved_by,
        jitter_seconds=None if trace.jitter is None else int(trace.jitter.total_seconds()),
    )
