"""How `zaffa reminders` words what a node answered. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any


def forecast_lines(found: Mapping[str, Any], *, minutes: bool) -> Iterator[str]:
    """The forecast by hour, each with its busiest minute, or by minute; then by class."""
    by_minute: Counter[str] = Counter()
    by_class: Counter[str] = Counter()
    for each in found["minutes"]:
        by_minute[each["at"]] += each["firings"]
        by_class[each["firing_class"]] += each["firings"]
    if minutes:
        yield from (f"{at}  {count:>8}" for at, count in sorted(by_minute.items()))
    else:
        for hour in sorted({at[:13] for at in by_minute}):
            inside = {at: n for at, n in by_minute.items() if at.startswith(hour)}
            peak = max(inside, key=lambda at: inside[at])
            total = sum(inside.values())
            yield f"{hour}:00Z  {total:>8}   busiest minute {peak[11:16]}: {inside[peak]}"
    classes = ", ".join(f"{count} {name}" for name, count in by_class.most_common())
    yield f"{by_minute.total()} in all" + (f": {classes}" if classes else "")
    if found["overdue"]:
        paused = f"; paused: {', '.join(found['paused'])}" if found["paused"] else ""
        yield f"{found['overdue']} are due already{paused}"


def firing_line(firing: Mapping[str, Any]) -> str:
    """One coming reminder; about the event itself, or a guest's answer, it has no task."""
    about = f"event {firing['event_id']}"
    if firing["task_id"] is not None:
        about += f"  task {firing['task_id']}"
    wall = f"{firing['wall']} {firing['zone']}"
    title = firing["task_title"] or firing["event_title"]
    return f"{firing['due_at']}  {wall}  {firing['firing_class']}  {about}  {title}"


def trace_lines(trace: Mapping[str, Any]) -> Iterator[str]:
    """One rule's way to an instant, or why it has none; then what that came from."""
    parts = [trace["state"], trace["reason"], f"{trace['layer']} rule {trace['rule_id']}"]
    parts.append(trace["lead"])
    if trace["due"]:
        parts.append(f"due {trace['due']}")
    if trace["wall"]:
        parts.append(f"meant {trace['wall']} {trace['zone']}{_offset(trace)}")
    if trace["moved_by"]:
        parts.append(f"moved by {trace['moved_by']}")
    if trace["jitter_seconds"]:
        parts.append(f"spread {trace['jitter_seconds']} s")
    if trace["due_at"]:
        parts.append(f"at {trace['due_at']}")
    yield " · ".join(part for part in parts if part)
    reasons = [("due", "due_by"), ("zone", "zone_by"), ("firing", "firing")]
    said = [f"{name}: {trace[field]}" for name, field in reasons if trace[field]]
    if said:
        yield f"    {' · '.join(said)}"


def _offset(trace: Mapping[str, Any]) -> str:
    seconds = trace["utc_offset_seconds"]
    if seconds is None:
        return ""
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    return f" (UTC{sign}{minutes // 60:02}:{minutes % 60:02})"


def told_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """What became of a notice: pushes, attempts, what devices said."""
    yield " · ".join(
        str(told[n]) for n in ("standing", "at", "notification_id", "reason") if told[n]
    )
    for push in told["devices"]:
        what = f"{push['state']}, {push['reason']}" if push["reason"] else push["state"]
        yield f"push {push['push_id']} to {push['platform'] or 'a device gone'}: {what}"
        for each in push["attempts"]:
            yield f"  {each['at']}  provider: {each['verdict']} {each['reason']}"
        for each in push["reports"]:
            yield f"  {each['at']}  device: {each['event']}"
