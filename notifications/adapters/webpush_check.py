"""What can be said of a VAPID key without a push. Pure.

A push service knows a key by the subscriptions that were made with it, and by nothing else.
"""

from collections.abc import Mapping

from notifications.apps.types import Survey
from notifications.types import Outcome, Verdict

SERVICES = 8
"""Push services that are asked, those with most subscriptions first."""

TRIAL = "/zaffa-check"
"""A path at which no browser is reached."""


def judged(survey: Survey, *, public_key: str, answers: Mapping[str, str]) -> Outcome:
    """What a key is worth that signs: `answers` are what the services said to a trial.

    It is refused when subscriptions were made with other keys only, and taken when some say
    that they were made with it, or when a service took a push. Otherwise nobody knows.
    """
    mine = survey.keys.get(public_key, 0)
    others = sum(survey.keys.values()) - mine
    said = [f"the key signs; of {survey.looked_at} subscriptions looked at"]
    said.append(f"{mine} say they were made with it and {others} with another")
    if survey.accepted_at is not None:
        said.append(f"a push was last accepted {survey.accepted_at:%Y-%m-%d %H:%M}Z")
    said += (f"{origin.removeprefix('https://')}: {word}" for origin, word in answers.items())
    reason = ", ".join(said)
    if others and not mine:
        return Outcome(Verdict.MISCONFIGURED, reason)
    if mine or survey.accepted_at is not None:
        return Outcome(Verdict.ACCEPTED, reason)
    return Outcome(Verdict.NOT_SENT, f"{reason}; only a subscription can prove the key")


def answered(status: int) -> str:
    """What a service said to the trial."""
    if status in (401, 403):
        return f"refused the trial ({status})"
    return f"reached ({status})"
