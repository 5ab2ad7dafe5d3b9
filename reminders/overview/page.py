"""The operators' page in HTML: how reminders stand, with buttons for what can be done."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from html import escape

from reminders.firing import FiringClass
from reminders.overview.chart import COLOURS, chart
from reminders.overview.found import found_section
from reminders.overview.markup import form, instant, ltr, section, table
from reminders.overview.schemas import OverviewAnswer
from reminders.overview.script import SCRIPT
from reminders.overview.words import Words, words_for

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0a6b5d; }
@media (prefers-color-scheme: dark) { :root { --accent: #5fd0bd; } }
body { font: 1rem/1.5 system-ui, "Segoe UI", "Noto Sans", "Noto Sans Arabic", sans-serif;
  max-inline-size: 66rem; margin: 0 auto; padding: 1.2rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; } p { margin: .3rem 0; }
a { color: var(--accent); } .soft { opacity: .75; } .late { color: #d1495b; font-weight: 600; }
code { font-family: ui-monospace, Consolas, monospace; font-size: .85em; }
code, bdi, time { unicode-bidi: isolate; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem;
  margin-block: .5rem; }
table { border-collapse: collapse; inline-size: 100%; font-size: .9rem; }
th, td { text-align: start; vertical-align: top; padding: .35rem .7rem;
  border-block-end: 1px solid var(--line); }
tr:last-child td { border-block-end: 0; } th { background: var(--soft); white-space: nowrap; }
time, .whole { white-space: nowrap; font-variant-numeric: tabular-nums; }
svg { display: block; min-inline-size: 54rem; inline-size: 100%; }
svg text { font-size: 11px; fill: currentColor; } .axis { stroke: #8886; fill: none; }
.key { display: inline-block; inline-size: .8rem; block-size: .8rem; border-radius: .2rem;
  margin-inline-end: .4rem; vertical-align: -.05rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
td form { margin-block-start: .2rem; } output { font-size: .85rem; }
label { display: grid; font-size: .85rem; flex: 1 1 12rem; } label, input { min-inline-size: 0; }
input, button { font: inherit; padding: .35rem .7rem; border-radius: .45rem;
  border: 1px solid var(--line); background: var(--soft); color: inherit; }
button { border-color: var(--accent); color: var(--accent); cursor: pointer;
  white-space: nowrap; align-self: end; } button:disabled { opacity: .5; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
""".strip()


def overview_page(shown: OverviewAnswer, languages: Sequence[str]) -> str:
    """The whole page, in the first of the languages that it is written in."""
    words = words_for(languages)
    return "\n".join(_page(shown, words))


def _page(shown: OverviewAnswer, words: Words) -> Iterator[str]:
    yield f'<!doctype html><html lang="{words.language}" dir="{words.direction}">'
    yield '<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>Zaffa · {escape(words.title)}</title><style>{_STYLE}</style><main>"
    yield f"<h1>{escape(words.title)}</h1>"
    yield f'<p class="soft">{escape(words.as_of).format(at=instant(shown.at))}</p>'
    yield from _standing(shown, words)
    yield from _coming(shown, words)
    yield from section(words.classes, _classes(shown, words))
    yield from section(words.search, _forms(shown, words))
    yield from section(words.dead, _dead(shown, words))
    yield from section(words.zones, _zones(shown, words))
    yield from section(words.ramadan, _ramadans(shown, words))
    yield f"</main><script>{SCRIPT}</script></html>"


def _standing(shown: OverviewAnswer, words: Words) -> Iterator[str]:
    age = _age(shown.oldest_due_age_seconds)
    if shown.catching_up:
        yield f'<p class="late" role="alert">{escape(words.catching_up).format(age=age)}</p>'
    else:
        yield f"<p>{escape(words.on_time).format(age=age)}</p>"
    plans = shown.plans
    waits = _age(plans.oldest_age_seconds)
    said = words.waiting_plans if plans.waiting else words.no_plans
    yield f"<p>{escape(said).format(plans=plans.waiting, age=waits)}</p>"
    minutes = f"{shown.spread_seconds / 60:g}"
    yield f"<p>{escape(words.spread).format(minutes=minutes)}</p>"


def _coming(shown: OverviewAnswer, words: Words) -> Iterator[str]:
    yield f"<h2>{escape(words.coming)}</h2>"
    if shown.peak is None:
        yield f"<p>{escape(words.none_coming)}</p>"
        return
    firings, in_all = shown.peak.firings, sum(each.firings for each in shown.minutes)
    at = f"{shown.peak.at:%H:%M}"
    peak = escape(words.peak).format(firings=f"<b>{firings}</b>", at=f"<b>{ltr(at)}</b>")
    yield f"<p>{peak} {escape(words.in_all).format(firings=in_all)}</p>"
    label = words.peak.format(firings=firings, at=at)
    yield f'<div class="wide" dir="ltr">{chart(shown.minutes, shown.at, label=label)}</div>'


def _classes(shown: OverviewAnswer, words: Words) -> Iterator[str]:
    paused = {each.firing_class: each.paused_at for each in shown.pauses}
    late = {each.firing_class: each for each in shown.late}
    planned = dict.fromkeys(map(str, FiringClass), 0)
    for each in shown.minutes:
        planned[each.firing_class] += each.firings
    rows: list[Sequence[str]] = []
    for name, count in planned.items():
        key = f'<span class="key" style="background:{COLOURS[name]}"></span><code>{name}</code>'
        named = f'<span class="whole">{key}</span><br>{escape(words.class_named(name))}'
        due = late.get(name)
        waits = "0" if due is None else f"{due.firings} {escape(words.since)} {instant(due.since)}"
        since = paused.get(name)
        state = (
            escape(words.runs)
            if since is None
            else f'<span class="late">{escape(words.paused)}</span> {instant(since)}'
        )
        method, said = ("PUT", words.pause) if since is None else ("DELETE", words.resume)
        button = form(words, said, path=f"reminder-pauses/{name}", method=method)
        rows.append((named, str(count), waits, f"{state}{button}"))
    head = (words.firing_class, words.planned, words.due, words.state)
    yield table(head, rows)


def _forms(shown: OverviewAnswer, words: Words) -> Iterator[str]:
    found = shown.found
    event = "" if found is None or found.event is None else str(found.event.id)
    task = "" if found is None or found.task_id is None else str(found.task_id)
    user = "" if found is None else found.user_id or ""
    fields = (("event_id", words.event, event), ("task_id", words.task, task))
    yield f"<form>{_inputs((*fields, ('user_id', words.user, user)))}"
    yield f"<button>{escape(words.find)}</button></form>"
    if found is not None:
        yield from found_section(found, words)
    yield f"<h3>{escape(words.replan)}</h3><p>{escape(words.replan_about)}</p>"
    inputs = _inputs([("event_id", words.event, event)], required=True)
    yield form(words, words.replan, path="events/{event_id}/replan", method="POST", inputs=inputs)


def _inputs(fields: Iterable[tuple[str, str, str]], *, required: bool = False) -> str:
    needed = " required" if required else ""
    return "".join(
        f'<label>{escape(said)}<input name="{name}" value="{escape(value)}" dir="ltr"'
        f' autocomplete="off" spellcheck="false"{needed}></label>'
        for name, said, value in fields
    )


def _dead(shown: OverviewAnswer, words: Words) -> Iterator[str]:
    if not shown.dead:
        yield f"<p>{escape(words.none_dead)}</p>"
        return
    rows = [
        (
            f"{instant(each.due_at)}<br><code>{escape(each.firing_class)}</code>",
            f"<bdi>{escape(each.user_id)}</bdi>",
            f"<bdi>{escape(each.reason)}</bdi><br><code>{each.event_id}</code>",
            form(
                words,
                words.retry,
                path=f"events/{each.event_id}/dead-reminders/retry",
                method="POST",
            ),
        )
        for each in shown.dead
    ]
    yield table((words.when, words.user, words.reason, ""), rows)


def _zones(shown: OverviewAnswer, words: Words) -> Iterator[str]:
    yield f"<p><code>tzdata {escape(shown.zone_data)}</code></p>"
    rows = [
        (
            f"<bdi>{escape(each.zone)}</bdi>",
            ltr(_offset(each.utc_offset_seconds)),
            escape(words.stays) if each.changes_at is None else instant(each.changes_at),
            ltr(each.zone_data),
        )
        for each in shown.zones
    ]
    head = (words.zone, words.offset, words.changes, words.planned_with)
    yield table(head, rows) if rows else f"<p>{escape(words.none_found)}</p>"


def _ramadans(shown: OverviewAnswer, words: Words) -> Iterator[str]:
    rows = [(str(each.year), ltr(f"{each.starts_on} – {each.ends_on}")) for each in shown.ramadans]
    yield table((words.hijri_year, words.when), rows)


def _age(seconds: float) -> str:
    return ltr(str(timedelta(seconds=int(seconds))))


def _offset(seconds: int) -> str:
    sign = "-" if seconds < 0 else "+"
    minutes = abs(seconds) // 60
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"
