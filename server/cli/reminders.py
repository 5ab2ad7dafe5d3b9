"""`zaffa reminders`: what will be said when and why, and holding it back."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from kernel.clock import SystemClock
from kernel.identity import Scope
from reminders.firing import FiringClass
from server.cli.common import Commands, add_command, settings
from server.cli.reminder_days import add_dates, ramadans
from server.cli.reminder_lines import firing_line, forecast_lines, told_lines, trace_lines
from server.cli.users import add_address
from server.logs import harmless
from server.operator_client import OperatorClient, operator_client

_EXAMPLES = """\
  zaffa reminders upcoming amina
  zaffa reminders explain 0197f3a2-… 0197f3a3-… amina    event, task, user: why, or why not
  zaffa reminders explain-guest 0197f3a2-… djamel        why they are asked for an answer, or not
  zaffa reminders replan 0197f3a2-…                      an event's plan, once more
  zaffa reminders replan --all                           every plan, with progress
  zaffa reminders dead                                   what could not be told, and why
  zaffa reminders retry 0197f3a2-…                       plan that once more
  zaffa reminders forecast --hours 48                    what is coming, and its peaks
  zaffa reminders import 0197f3a2-… wedding.ics          what it would do; --commit does it
  zaffa reminders feeds amina --revoke 0197f3a4-…        end a calendar feed, and list the others
  zaffa reminders pause policy_far                       until resumed
  zaffa reminders resume policy_far
  zaffa reminders pauses
  zaffa reminders spread 600                             nine o'clock, over ten minutes
  zaffa reminders ramadans --set 1448 2027-02-09 2027-03-09     as it was announced

A running node is asked, by default the one on this machine; without --key, a key is made in the
database and revoked afterwards.
"""

_PAGE = 100
_REST = 1.0
_PATIENCE = 20
"""So often it is looked how far something is before that is said to stand still."""
_Act = Callable[[OperatorClient, argparse.Namespace], Awaitable[int]]


def add_to(commands: Commands) -> None:
    command = add_command(commands, "reminders", examples=_EXAMPLES, run=_run)
    add_address(command)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, about: str, act: _Act) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=about)
        made.set_defaults(act=act, scope=Scope.REMINDERS)
        return made

    upcoming = action("upcoming", "what a user will be told, the next first", _upcoming)
    upcoming.add_argument("user", metavar="USER")
    upcoming.add_argument("--all", action="store_true", help="not only the first hundred")
    explain = action("explain", "why a task's rules remind a user, or do not", _explain)
    explain.add_argument("event", metavar="EVENT")
    explain.add_argument("task", metavar="TASK")
    explain.add_argument("user", metavar="USER")
    event = action("explain-event", "why a user is told of an event itself", _explain_event)
    event.add_argument("event", metavar="EVENT")
    event.add_argument("user", metavar="USER")
    guest = action("explain-guest", "why a guest is asked for an answer, or is not", _explain_guest)
    guest.add_argument("event", metavar="EVENT")
    guest.add_argument("user", metavar="USER")
    guest.add_argument("--part", default="main", help="the part that they are invited to")
    replan = action("replan", "make an event's plan again; nothing comes twice", _replan)
    which = replan.add_mutually_exclusive_group(required=True)
    which.add_argument("event", nargs="?", metavar="EVENT")
    which.add_argument("--all", action="store_true", help="of every event, and say how far it is")
    action("dead", "reminders that could not be told, and why", _dead)
    retry = action("retry", "plan an event's dead reminders once more", _retry)
    retry.add_argument("event", metavar="EVENT")
    forecast = action("forecast", "what goes off in the coming hours, by hour and class", _forecast)
    forecast.add_argument("--hours", type=int, default=24, help="how far ahead; up to 168")
    forecast.add_argument("--minutes", action="store_true", help="every minute that has any")
    imports = action("import", "make a calendar's entries tasks of an event", _import)
    imports.add_argument("event", metavar="EVENT")
    imports.add_argument("file", metavar="FILE", type=Path)
    imports.add_argument("--commit", action="store_true", help="do it, not only say what it does")
    feeds = action("feeds", "the calendar feeds of a user", _feeds)
    feeds.add_argument("user", metavar="USER")
    feeds.add_argument("--revoke", metavar="FEED", help="end one: its address leads nowhere")
    classes = [each.value for each in FiringClass]
    for name, about, act in (
        ("pause", "let nothing of a class go off", _pause),
        ("resume", "let a class go off again", _resume),
    ):
        action(name, about, act).add_argument("firing_class", choices=classes, metavar="CLASS")
    action("pauses", "the classes that wait", _pauses)
    longer = action("spread", "over how long policy reminders of one moment spread", _spread)
    longer.add_argument("seconds", nargs="?", type=int, help="from 240 to 3600; without it, say it")
    dates = action("ramadans", "when Ramadan is, as announced or estimated", ramadans)
    dates.set_defaults(scope=Scope.PUSHES)
    add_dates(dates)


def _run(given: argparse.Namespace) -> int:
    return asyncio.run(_act(given))


async def _act(given: argparse.Namespace) -> int:
    loaded = settings(given)
    async with operator_client(loaded, url=given.url, key=given.key, scope=given.scope) as client:
        act: _Act = given.act
        return await act(client, given)


async def _upcoming(client: OperatorClient, given: argparse.Namespace) -> int:
    cursor, told = None, 0
    while True:
        query = [("user_id", given.user), ("limit", str(_PAGE))]
        query += [("cursor", cursor)] if cursor else []
        page = await client.ask("GET", "firings", query=query)
        for each in page["firings"]:
            _print(firing_line(each))
        told += len(page["firings"])
        cursor = page["cursor"]
        if cursor is None or not given.all:
            break
    if cursor is not None:
        print("there are more, which --all lists", file=sys.stderr)
    if not told:
        _print(f"nothing is planned for {given.user}; explain says why for a task")
    return 0


async def _explain(client: OperatorClient, given: argparse.Namespace) -> int:
    path = ("events", given.event, "tasks", given.task, "explain")
    found = await client.ask("GET", *path, query=[("user_id", given.user)])
    return _explained(found)


async def _explain_event(client: OperatorClient, given: argparse.Namespace) -> int:
    path = ("events", given.event, "explain")
    return _explained(await client.ask("GET", *path, query=[("user_id", given.user)]))


async def _explain_guest(client: OperatorClient, given: argparse.Namespace) -> int:
    path = ("events", given.event, "guests", given.user, "explain")
    return _explained(await client.ask("GET", *path, query=[("part", given.part)]))


def _explained(found: Mapping[str, Any]) -> int:
    for each in found["traces"]:
        for line in trace_lines(each):
            _print(line)
    if not found["traces"]:
        _print("no rule speaks of it to this user")
    for each in found["settled"]:
        said = f": {each['reason']}" if each["reason"] else ""
        _print(f"{each['decided_at']}  {each['outcome']}{said}  (due {each['due_at']})")
        for line in told_lines(each["told"]) if each["told"] else ():
            _print(f"  {line}")
    for each in found["holding"]:
        stale = f", not so any more since {each['stale_at']}" if each["stale_at"] else ""
        _print(
            f"device {each['device_id']} shows {each['alarms']} alarms by itself until "
            f"{each['until']}, as it said {each['acknowledged_at']}{stale}"
        )
    _print(f"time-zone data {found['zone_data']}")
    return 0


async def _replan(client: OperatorClient, given: argparse.Namespace) -> int:
    if not given.all:
        await client.ask("POST", "events", given.event, "replan", body={})
        _print("its plan is about to be made again")
        return 0
    plans = (await client.ask("POST", "reminder-plans", body={}))["plans"]
    clock, waiting, still = SystemClock(), plans, 0
    while waiting:
        before, waiting = waiting, (await client.ask("GET", "reminder-plans"))["waiting"]
        print(f"\r{max(0, plans - waiting)} of {plans} plans", end="", file=sys.stderr, flush=True)
        still = still + 1 if waiting == before else 0
        if still == _PATIENCE:
            print(
                "  nobody makes plans: does a scheduler run?", end="", file=sys.stderr, flush=True
            )
        if waiting:
            await clock.sleep(_REST)
    print(file=sys.stderr)
    _print(f"{plans} plans are made again")
    return 0


async def _dead(client: OperatorClient, _given: argparse.Namespace) -> int:
    found = (await client.ask("GET", "dead-reminders"))["dead"]
    for each in found:
        _print(
            f"{each['decided_at']}  {each['firing_class']} for {each['user_id']}, "
            f"event {each['event_id']}, task {each['task_id']}: {each['reason']}"
        )
    if not found:
        _print("no reminder died")
    return 0


async def _retry(client: OperatorClient, given: argparse.Namespace) -> int:
    path = ("events", given.event, "dead-reminders", "retry")
    done = await client.ask("POST", *path, body={})
    _print(
        f"{done['revived']} are planned once more, if it is not too late for them"
        if done["revived"]
        else "no reminder of this event died"
    )
    return 0


async def _forecast(client: OperatorClient, given: argparse.Namespace) -> int:
    query = [("hours", str(given.hours))]
    found = await client.ask("GET", "reminder-forecast", query=query)
    for line in forecast_lines(found, minutes=given.minutes):
        _print(line)
    return 0


async def _import(client: OperatorClient, given: argparse.Namespace) -> int:
    try:
        text = given.file.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        print(f"{given.file} cannot be read: {error}", file=sys.stderr)
        return 2
    path = ["events", given.event, "import", *([] if given.commit else ["preview"])]
    found = await client.ask("POST", *path, body={"calendar": text})
    for each in found["entries"]:
        said = "; ".join(part for part in (each["reason"], *each["remarks"]) if part)
        _print(f"{each['state']:<9} {each['title'] or each['uid']}{f'  ({said})' if said else ''}")
    counts = ", ".join(f"{found[n]} {n}" for n in ("added", "updated", "unchanged", "refused"))
    _print(counts if given.commit else f"{counts}; nothing is done without --commit")
    return 0


async def _feeds(client: OperatorClient, given: argparse.Namespace) -> int:
    query = [("user_id", given.user)]
    if given.revoke:
        await client.ask("DELETE", "calendar-feeds", given.revoke, query=query)
    found = (await client.ask("GET", "calendar-feeds", query=query))["feeds"]
    for each in found:
        of = f"event {each['event_id']}" if each["event_id"] else "all events"
        _print(
            f"{each['id']}  {of}, {each['whose']} tasks as {each['tasks']}, {each['created_at']}"
        )
    if not found:
        _print("no calendar feeds")
    return 0


async def _pause(client: OperatorClient, given: argparse.Namespace) -> int:
    await client.ask("PUT", "reminder-pauses", given.firing_class, body={})
    return await _pauses(client, given)


async def _resume(client: OperatorClient, given: argparse.Namespace) -> int:
    await client.ask("DELETE", "reminder-pauses", given.firing_class)
    return await _pauses(client, given)


async def _pauses(client: OperatorClient, _given: argparse.Namespace) -> int:
    found = (await client.ask("GET", "reminder-pauses"))["pauses"]
    for each in found:
        _print(f"{each['firing_class']} paused since {each['paused_at']}")
    if not found:
        _print("nothing is paused")
    return 0


async def _spread(client: OperatorClient, given: argparse.Namespace) -> int:
    if given.seconds is not None:
        body = {"seconds": given.seconds}
        plans = (await client.ask("PUT", "reminder-spread", body=body))["plans"]
        _print(f"{plans} plans are made again")
    _print(f"{(await client.ask('GET', 'reminder-spread'))['seconds']} seconds")
    return 0


def _print(line: str) -> None:
    print(harmless(line).rstrip())
