"""Every operation of reminders: who may ask it, and how it is asked."""

import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from kernel.operations import AnyOperation
from tests.support.around_event import CALENDAR, INVITED, LEAST_FIRST, OPERATOR, STRANGER, WITNESS

SERVERS = frozenset({OPERATOR})
OWNER = frozenset({"owner"})
HOSTS = OWNER | {"collaborator"}
MAKERS = HOSTS | {"vendor"}
MEMBERS = MAKERS | {"guest"}
USERS = MEMBERS | {INVITED, STRANGER}
ANYBODY = frozenset(LEAST_FIRST)

LEAD = {"kind": "calendar", "days": 1, "at": "09:00"}
TASK = {"title": "Salle", "due": None, "assignee_id": None}
PROFILE = {"zone": "Africa/Algiers", "locale": "fr-DZ"}

MATRIX: Mapping[str, tuple[frozenset[str], Mapping[str, Any]]] = {
    "events.create": (USERS, {"title": "Mariage", "zone": "Africa/Algiers"}),
    "events.list": (USERS, {}),
    "events.get": (MEMBERS, {}),
    "events.explain": (MEMBERS, {}),
    "events.rename": (OWNER, {"title": "Noces"}),
    "events.cancel": (OWNER, {}),
    "events.move": (OWNER, {"day": "2027-06-01"}),
    "events.preview_move": (MEMBERS, {"day": "2027-06-01"}),
    "events.undo_move": (OWNER, {}),
    "events.put_anchor": (OWNER, {"day": "2027-05-31"}),
    "events.preview_anchor": (MEMBERS, {"day": "2027-05-31"}),
    "events.drop_anchor": (OWNER, {}),
    "events.begin_checklist": (OWNER, {"type": "henna"}),
    "events.put_member": (OWNER, {"user_id": "newcomer", "role": "guest"}),
    "events.remove_member": (OWNER, {"user_id": WITNESS}),
    "events.link_conversation": (OWNER, {}),
    "events.conversation": (MEMBERS, {}),
    "events.unlink_conversation": (OWNER, {}),
    "events.preview_import": (MAKERS, {"calendar": CALENDAR}),
    "events.import": (MAKERS, {"calendar": CALENDAR}),
    "checklists.list": (USERS, {}),
    "tasks.create": (MAKERS, TASK),
    "tasks.list": (MEMBERS, {}),
    "tasks.get": (HOSTS, {}),
    "tasks.update": (HOSTS, TASK),
    "tasks.complete": (HOSTS, {}),
    "tasks.reopen": (HOSTS, {}),
    "tasks.snooze": (HOSTS, {"choice": "1_hour"}),
    "tasks.choose": (HOSTS, {"usual": True}),
    "tasks.delete": (OWNER, {}),
    "tasks.restore": (OWNER, {}),
    "rules.put": (OWNER, {"lead": LEAD}),
    "rules.delete": (OWNER, {}),
    "cards.send": (HOSTS, {"text": "C'est réservé."}),
    "cards.list": (HOSTS, {}),
    "guests.put_deadline": (OWNER, {"day": "2026-03-01"}),
    "guests.invite": (HOSTS, {"user_id": "newcomer"}),
    "guests.remove": (HOSTS, {"user_id": INVITED}),
    "guests.list": (HOSTS, {}),
    "guests.answer": (frozenset({INVITED}), {"answer": "yes"}),
    "guests.explain": (HOSTS | {INVITED}, {"user_id": INVITED}),
    "guests.look_at_link": (ANYBODY, {}),
    "guests.opt_out": (ANYBODY, {}),
    "firings.list": (USERS, {}),
    "firings.explain": (HOSTS, {}),
    "firings.act": (ANYBODY, {"action": "done"}),
    "profile.get": (USERS, {}),
    "profile.put": (USERS, PROFILE),
    "profile.report_zone": (USERS, {"zone": "Europe/Paris"}),
    "profile.get_usual": (USERS, {}),
    "profile.put_usual": (USERS, {}),
    "digest.get": (USERS, {}),
    "feeds.issue": (MEMBERS, {}),
    "feeds.list": (USERS, {}),
    "feeds.revoke": (OWNER, {}),
    "feeds.read": (ANYBODY, {}),
    "alarms.list": (OWNER, {}),
    "alarms.acknowledge": (OWNER, {"alarms": []}),
    "alarms.forget": (OWNER, {}),
    "reminders.pauses": (SERVERS, {}),
    "reminders.pause": (SERVERS, {"firing_class": "nag"}),
    "reminders.resume": (SERVERS, {"firing_class": "nag"}),
    "reminders.replan": (SERVERS, {}),
    "reminders.replan_all": (SERVERS, {}),
    "reminders.plans": (SERVERS, {}),
    "reminders.spread": (SERVERS, {}),
    "reminders.put_spread": (SERVERS, {"seconds": 600}),
    "reminders.dead": (SERVERS, {}),
    "reminders.revive": (SERVERS, {}),
    "reminders.forecast": (SERVERS, {}),
    "reminders.overview": (SERVERS, {}),
}

"""Who may ask what, and what is asked beside the names of what it is about."""


def row(operation: AnyOperation) -> str:
    """Which line of the table it is in: what users are offered, servers are offered for them."""
    name = operation.name
    return name if name in MATRIX else name.removesuffix("_for").removesuffix("_of")


def question(
    operation: AnyOperation, names: Mapping[str, Any], said: Mapping[str, Any]
) -> dict[str, Any]:
    """What is said, and whatever else the operation cannot do without."""
    known = {
        **names,
        "token": names["action_token" if "firing" in operation.path else "opt_out_token"],
        "action_id": str(uuid.uuid4()),
        "idempotency_key": uuid.uuid4().hex,
        "user_id": INVITED if operation.name.startswith("guests.") else "owner",
        **said,
    }
    fields = msgspec.structs.fields(operation.takes)
    wanted = {"event_id", "task_id", *said}
    return {each.name: known[each.name] for each in fields if each.required or each.name in wanted}
