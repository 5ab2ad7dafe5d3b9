"""Why something else became of firings than that they went off: as words for metrics. Pure."""

from reminders.budget import OVER_BUDGET
from reminders.folding import DIGEST_TELLS, MATTERS_LITTLE, NO_DIGEST, TOO_LATE, WHILE_AWAY
from reminders.handover import (
    IN_THE_MORNING,
    LATER_THAN_GRACE,
    NO_LONGER_USEFUL,
    NOT_STANDING,
    OVER,
    UNTIL_USELESS,
)
from reminders.saying import WITH_OTHERS

PAUSED = "paused"

OTHER = "other"
"""What has no word: an error says what went wrong, and there is no end to that."""

_WORDS = {
    "": "",
    OVER: "over",
    NOT_STANDING: "not_standing",
    NO_LONGER_USEFUL: "useless",
    LATER_THAN_GRACE: "late",
    TOO_LATE: "late",
    WHILE_AWAY: "outage",
    WITH_OTHERS: "with_others",
    MATTERS_LITTLE: "low",
    OVER_BUDGET: "budget",
    IN_THE_MORNING: "morning",
    PAUSED: "paused",
    "quiet hours": "quiet",
    "friday": "friday",
    "ramadan": "ramadan",
    "iftar": "iftar",
    "eid": "eid",
    "weekend": "weekend",
    "public holiday": "holiday",
    "working hours": "off_work",
}


def word_of(reason: str) -> str:
    """One of few words for a reason that is told in a sentence."""
    for ending in (UNTIL_USELESS, DIGEST_TELLS, NO_DIGEST):
        reason = reason.removesuffix(ending)
    return _WORDS.get(reason, OTHER)
