"""From a campaign to notifications and pushes. Pure: the same input, the same ids."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from kernel.ids import UserId
from kernel.notices import Notice, Urgency, Variables
from notifications.calm import calm_from
from notifications.campaign import Campaign
from notifications.deciding.categories import MARKETING, USUAL, Rulebook
from notifications.deciding.types import Said
from notifications.errors import TemplateInvalid
from notifications.planning import Planner, checked_data
from notifications.pushes import Notification, Push
from notifications.templates.rendering import Rendering
from notifications.templates.types import Template
from notifications.types import Device


def campaign_key(campaign_id: UUID) -> str:
    """The dedupe key of a campaign's notifications."""
    return f"campaign:{campaign_id}"


def plan_of(
    campaign: Campaign,
    devices: Sequence[Device],
    said: Said,
    variables_of: Mapping[UserId, Variables],
    *,
    now: datetime,
    rulebook: Rulebook = USUAL,
    beside_quarters: bool = False,
) -> tuple[Sequence[Notification], Sequence[Push]]:
    """What a running campaign means for some devices: nothing for who has not agreed to it.

    `beside_quarters` lets all but its first devices wait for a calm moment.
    """
    if campaign.expires_at is None or campaign.started_at is None:
        raise ValueError("a campaign that was not started has no plan")
    planner = _planner_of(campaign, variables_of, campaign.expires_at, now=now, rulebook=rulebook)
    notifications: dict[UserId, Notification] = {}
    pushes: list[Push] = []
    for device in devices:
        notification = notifications.get(device.user_id) or planner.notification(device.user_id)
        for push in planner.pushes(notification, [device], said):
            # Nobody is written down only because they are to be left in peace.
            if not push.suppressed:
                notifications[device.user_id] = notification
                pushes.append(push)
    if beside_quarters and campaign.cursor is not None:
        calm = calm_from(campaign.started_at, campaign.id)
        if calm > now:
            pushes = [replace(each, due_at=max(each.due_at or calm, calm)) for each in pushes]
    return list(notifications.values()), pushes


def check_campaign(
    campaign: Campaign, variables_of: Mapping[UserId, Variables] | None = None
) -> None:
    """Raises what planning it would raise: a campaign that was taken can be planned.

    It has something to say, to everybody and to users with variables of their own, and room
    for it within the limit.
    """
    checked_data(campaign.data)
    if not campaign.texts:
        raise TemplateInvalid("A campaign needs a text in at least one language.")
    now = campaign.created_at
    _planner_of(campaign, variables_of or {}, now, now=now).check()


def _planner_of(
    campaign: Campaign,
    variables_of: Mapping[UserId, Variables],
    expires_at: datetime,
    *,
    now: datetime,
    rulebook: Rulebook = USUAL,
) -> Planner:
    key = campaign_key(campaign.id)
    notice = Notice(
        user_ids=(),
        template=campaign.template or key,
        variables=campaign.variables,
        variables_of=variables_of,
        category=MARKETING,
        urgency=Urgency.MARKETING,
        dedupe_key=key,
        expires_at=expires_at,
        collapse_key=campaign.id.hex,
        link=campaign.link,
        data={**campaign.data, "campaign_id": str(campaign.id)},
    )
    rendering = Rendering(Template(texts=campaign.texts))
    return Planner(notice, rendering, now=now, campaign_id=campaign.id, rulebook=rulebook)
