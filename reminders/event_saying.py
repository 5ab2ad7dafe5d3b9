"""How the event itself is told of: the notices that are about no task. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from kernel.ids import UserId
from kernel.notices import Notice, Urgency
from reminders.days import MAIN
from reminders.due import anchor_of, due_on
from reminders.event_days import DayTold, call_of, days_told, deadline_of, parts_answered
from reminders.event_news import CALL, MOVED
from reminders.firing import DueFiring, FiringClass
from reminders.guest import Answer
from reminders.identity import collapse_key, notice_key
from reminders.opting import OptOutSigner
from reminders.part_names import part_name
from reminders.placing import POLITE
from reminders.sight import sees
from reminders.types import Due, Member, Role, Task
from reminders.wording import isolated, joined, language_of, when_text

CATEGORY, INVITATIONS = "reminders", "invitations"

LIFETIME = timedelta(hours=24)

LINES = 5
"""Tasks that are named on the eve; the rest is a number."""

Words = tuple[str, dict[str, str | int | float]]
"""A template, and what fills it beside what the event is called."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is said of an event beside its own day."""

    members: Mapping[UserId, Member] = field(default_factory=dict)
    open: Sequence[Task] = ()
    answers: Mapping[str, Mapping[Answer, int]] = field(default_factory=dict)


def news_notice(
    due: DueFiring,
    around: Around,
    *,
    now: datetime,
    default_locale: str,
    opting: OptOutSigner,
) -> Notice:
    """The notice that says what a firing about the event itself is about."""
    firing, event = due.firing, due.event
    template, variables = _words(due, around, now, default_locale)
    key = collapse_key(firing.dedupe_key)
    data = {"event_id": str(event.id), "firing": key}
    asks = firing.firing_class is FiringClass.GUEST
    if asks:
        data["part"] = due.part
        if link := opting.link(firing.user_id, event.id):
            data["opt_out"] = link
    return Notice(
        user_ids=(firing.user_id,),
        template=template,
        category=INVITATIONS if asks else CATEGORY,
        urgency=Urgency.TRANSACTIONAL,
        dedupe_key=notice_key(firing.dedupe_key),
        expires_at=min(firing.useful_until, now + LIFETIME),
        variables={"event": event.title, **variables},
        collapse_key=key,
        exact=firing.firing_class not in POLITE,
        thread=f"event:{event.id}",
        link=f"/events/{event.id}/answer" if asks else f"/events/{event.id}",
        data=data,
    )


def _words(due: DueFiring, around: Around, now: datetime, default_locale: str) -> Words:
    firing, event, person = due.firing, due.event, due.person
    locale = default_locale if person is None else person.locale

    def when(about: Due | None) -> str:
        assert about is not None, "a firing whose day is gone is stale"
        return when_text(
            about,
            locale=locale,
            viewer_zone=event.zone if person is None else person.zone_now,
            now=now,
            hijri=person is not None and person.hijri,
        )

    def named(*parts: str) -> dict[str, str | int | float]:
        """What the event is called, after those of its parts that it is about."""
        names = [part_name(each, language_of(locale)) for each in parts if each != MAIN]
        return {"event": joined(*names, event.title)}

    if firing.firing_class is FiringClass.GUEST:
        said = named(due.part) | {"when": when(deadline_of(event, due.part))}
        begins = anchor_of(event, due.part)
        return "guest.answer", said | ({"day": when(begins)} if begins else {})
    start, rule_id = anchor_of(event, MAIN), firing.rule_id
    for told in days_told(event):
        called = named(*told.parts)
        if rule_id == told.eve:
            left = _left(due, around, told)
            tasks = called | {"open": len(left), "lines": _lines(left, when)}
            # Not everything is ready where nothing is a vendor's to do.
            none = not left and _is_vendor(firing.user_id, around)
            return "event.eve", tasks | ({"when": when(told.start)} if none else {})
        if rule_id == told.today:
            return "event.today", called | {"when": when(told.start)}
    if rule_id == CALL:
        member = around.members[firing.user_id]
        return "event.call", named(member.part) | {"when": when(call_of(event, member))}
    if rule_id == MOVED:
        return ("event.moved", {"when": when(start)}) if start else ("event.undated", {})
    part = parts_answered(event)[rule_id]
    counts = around.answers.get(part, {})
    return "event.answers", named(part) | {
        "waiting": counts.get(Answer.INVITED, 0),
        "coming": counts.get(Answer.YES, 0),
        "when": when(deadline_of(event, part)),
    }


def _left(due: DueFiring, around: Around, told: DayTold) -> Sequence[tuple[Task, Due | None]]:
    """What is left to do before a day, what is due first first; to vendors, what is theirs."""
    reader = around.members.get(due.firing.user_id)
    tasks = [task for task in around.open if sees(reader, task)]
    left = [(task, due_on(task, due.event)) for task in tasks]
    if told.parts:
        left = [each for each in left if each[1] is not None and each[1].day <= told.day]
    return sorted(left, key=lambda each: date.max if each[1] is None else each[1].day)


def _is_vendor(user_id: UserId, around: Around) -> bool:
    member = around.members.get(user_id)
    return member is not None and member.role is Role.VENDOR


def _lines(open_tasks: Sequence[tuple[Task, Due | None]], when: Callable[[Due], str]) -> str:
    lines = [
        isolated(task.title) + ("" if due is None else f" · {when(due)}")
        for task, due in open_tasks[:LINES]
    ]
    if len(open_tasks) > LINES:
        lines.append(f"+{len(open_tasks) - LINES}")
    return "\n".join(lines)
