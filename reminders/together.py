"""Several reminders for one user at once become one notice. Pure.

Three or more about one event in one minute are one push; what comes late after an outage is
told in one, however many it is: "while you were away".
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from kernel.notices import Notice, Urgency, entry_of
from reminders.firing import DueFiring, Judgement, Outcome
from reminders.handover import CATEGORY, LIFETIME, TEMPLATE, meaning_of
from reminders.identity import collapse_key, notice_key
from reminders.wording import LANGUAGES, when_text

MANY = 3
"""So many reminders of one event in one minute are one notice."""

LINES = 5
"""Tasks that are named; the rest is a number."""

WITH_OTHERS = "told with others"
"""The reason of what went off without a notice of its own."""

_MISSED = {
    "ar": "تذكيرات لم تصلك في وقتها",
    "fr": "Rappels pendant votre absence",
    "en": "Reminders while you were away",
}

_BRACES = re.compile("[{}]+")

Judge = Callable[[DueFiring], Judgement]


def judged_together(dues: Sequence[DueFiring], judge: Judge, *, now: datetime) -> list[Judgement]:
    """A judgement for each, in their order; one notice for those that belong together."""
    judgements = [judge(due) for due in dues]
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, (due, judgement) in enumerate(zip(dues, judgements, strict=True)):
        if judgement.outcome is Outcome.FOLDED:
            groups[(due.firing.user_id,)].append(place)
        elif judgement.outcome is Outcome.FIRED:
            minute = due.firing.due_at.replace(second=0, microsecond=0)
            groups[(due.firing.user_id, due.event.id, minute)].append(place)
    for key, places in groups.items():
        folded = len(key) == 1
        if not folded and len(places) < MANY:
            continue
        notice = _notice([dues[place] for place in places], folded=folded, now=now)
        for place in places:
            reason = judgements[place].reason or WITH_OTHERS
            judgements[place] = replace(judgements[place], reason=reason, entries=())
        first = places[0]
        judgements[first] = replace(judgements[first], entries=(entry_of(notice),))
    return judgements


def _notice(dues: Sequence[DueFiring], *, folded: bool, now: datetime) -> Notice:
    first = dues[0]
    key = collapse_key(first.firing.dedupe_key)
    return Notice(
        user_ids=(first.firing.user_id,),
        template=TEMPLATE,
        category=CATEGORY,
        urgency=Urgency.TRANSACTIONAL,
        dedupe_key=notice_key(first.firing.dedupe_key),
        expires_at=min(max(due.firing.useful_until for due in dues), now + LIFETIME),
        texts=_texts(dues, folded=folded, now=now),
        collapse_key=key,
        thread=f"event:{first.event.id}",
        link=f"/events/{first.event.id}",
        data={"event_id": str(first.event.id), "firing": key, "count": str(len(dues))},
    )


def _texts(
    dues: Sequence[DueFiring], *, folded: bool, now: datetime
) -> Mapping[str, tuple[str, str]]:
    texts: dict[str, tuple[str, str]] = {}
    for language in LANGUAGES:
        lines = [_line(due, language, now) for due in dues[:LINES]]
        if len(dues) > LINES:
            lines.append(f"+{len(dues) - LINES}")
        title = _MISSED[language] if folded else _literal(dues[0].event.title)
        texts[language] = (title, "\n".join(lines))
    return texts


def _line(due: DueFiring, language: str, now: datetime) -> str:
    task, person = due.task, due.person
    assert task is not None, "what goes off has a task"
    when = when_text(
        meaning_of(due.firing, due.event, task),
        locale=language,
        viewer_zone=due.event.zone if person is None else person.zone_now,
        now=now,
        hijri=person is not None and person.hijri,
    )
    # Isolates keep a title in one direction from turning a line in the other.
    return f"\u2068{_literal(task.title)}\u2069 · {when}"


def _literal(text: str) -> str:
    """The text as a pattern of ICU's MessageFormat that says just this."""
    return _BRACES.sub(r"'\g<0>'", text.replace("'", "''"))
