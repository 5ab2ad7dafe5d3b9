"""The notice that a digest is told in. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from kernel.notices import Notice, Urgency
from reminders.digests.digest import TITLES, Digest, Line, Part
from reminders.digests.turns import Reader
from reminders.identity import digest_key
from reminders.wording import isolated, when_text

DAILY, WEEKLY = "reminders.digest", "reminders.week"
"""The templates."""

CATEGORY = "digests"

LIFETIME = timedelta(hours=12)


def notice_of_digest(
    digest: Digest, reader: Reader, *, now: datetime, default_locale: str
) -> Notice:
    """The digest in the reader's language, with the first titles; counts say the rest."""
    shown = digest.lines[:TITLES]
    several = len({line.event.id for line in digest.lines}) > 1
    lines = [_line(line, reader, now, default_locale, named=several) for line in shown]
    if len(digest.lines) > TITLES:
        lines.append(f"+{len(digest.lines) - TITLES}")
    day = digest.on.isoformat()
    return Notice(
        user_ids=(reader.user_id,),
        template=WEEKLY if digest.weekly else DAILY,
        category=CATEGORY,
        urgency=Urgency.TRANSACTIONAL,
        dedupe_key=digest_key(reader.user_id, digest.on),
        expires_at=now + LIFETIME,
        variables={
            **_counted(digest),
            "overdue": digest.count(Part.OVERDUE),
            "folded": digest.count(Part.FOLDED),
            "lines": "\n".join(lines),
        },
        collapse_key="digest",
        thread="digest",
        link="/digest",
        data={"digest_on": day, "count": str(len(digest.lines))},
    )


def _counted(digest: Digest) -> Mapping[str, int]:
    today = digest.count(Part.TODAY)
    return {"ahead": today + digest.count(Part.AHEAD)} if digest.weekly else {"today": today}


def _line(line: Line, reader: Reader, now: datetime, default_locale: str, *, named: bool) -> str:
    """A task, and where there are tasks of several events, of which it is."""
    title = isolated(line.task.title)
    if named:
        title = f"{title} · {isolated(line.event.title)}"
    if line.due is None:
        return title
    person = reader.person
    when = when_text(
        line.due,
        locale=reader.locale or default_locale,
        viewer_zone=reader.zone,
        now=now,
        hijri=person is not None and person.hijri,
    )
    return f"{title} · {when}"
