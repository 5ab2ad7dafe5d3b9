"""`zaffa reminders ramadans`: when Ramadan is, as operators know it."""

import argparse
from datetime import date

from server.logs import harmless
from server.operator_client import OperatorClient

_AFTER = "what is planned follows within a day; `zaffa reminders replan --all` has it follow now"


def add_dates(command: argparse.ArgumentParser) -> None:
    """Declare what can be changed beside being listed."""
    change = command.add_mutually_exclusive_group()
    change.add_argument(
        "--set",
        nargs=3,
        metavar=("YEAR", "FIRST", "LAST"),
        help="its first and last day in a Hijri year, as they were announced",
    )
    change.add_argument(
        "--forget", type=int, metavar="YEAR", help="go by the calendar's estimate again"
    )
    command.add_argument(
        "--estimated", action="store_true", help="with --set: nobody announced it yet"
    )


async def ramadans(client: OperatorClient, given: argparse.Namespace) -> int:
    """Change the dates if that is asked for, and list them."""
    if given.set:
        year, first, last = given.set
        body = {"starts_on": first, "ends_on": last, "announced": not given.estimated}
        await client.ask("PUT", "ramadans", year, body=body)
    if given.forget is not None:
        await client.ask("DELETE", "ramadans", str(given.forget))
    for each in (await client.ask("GET", "ramadans"))["ramadans"]:
        first, last = (date.fromisoformat(each[name]) for name in ("starts_on", "ends_on"))
        known = "announced" if each["announced"] else "estimated"
        days = (last - first).days + 1
        print(harmless(f"{each['year']}  {first} to {last}  {days} days, {known}"))
    if given.set or given.forget is not None:
        print(_AFTER)
    return 0
