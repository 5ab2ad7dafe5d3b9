"""What can be asked of campaigns."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.operations import AnyOperation, Operation
from notifications import schemas
from notifications.campaign import Campaign
from notifications.campaigns import Campaigns, Progress
from notifications.errors import (
    CampaignNotFound,
    CampaignOver,
    CampaignStarted,
    CampaignUnstarted,
    IdempotencyMismatch,
    PushTooLarge,
    TemplateInvalid,
    TemplateNotFound,
    VariableMissing,
    VariableUnfit,
    VariableUnknown,
)
from notifications.pushes import PushState
from notifications.types import Text

_FILLING = (TemplateInvalid, VariableMissing, VariableUnknown, VariableUnfit, PushTooLarge)


def operations(campaigns: Campaigns) -> list[AnyOperation]:
    """What operators may ask."""

    async def recent(principal: Principal, body: schemas.ListCampaigns) -> schemas.CampaignPage:
        page = await campaigns.recent(principal, cursor=body.cursor, limit=body.limit)
        return schemas.CampaignPage([_line(each) for each in page.items], page.cursor)

    async def create(principal: Principal, body: schemas.CreateCampaign) -> schemas.CampaignBody:
        progress = await campaigns.create(
            principal,
            name=body.name,
            texts={locale: Text(text.title, text.body) for locale, text in body.texts.items()},
            template=body.template,
            version=body.version,
            variables=body.variables,
            locales=tuple(body.locales),
            link=body.link,
            data=body.data,
            expires_after=body.expires_after,
            idempotency_key=body.idempotency_key,
            per_second=body.per_second,
        )
        return _campaign(progress)

    async def fill(principal: Principal, body: schemas.FillCampaign) -> schemas.CampaignBody:
        theirs = {UserId(user_id): own for user_id, own in body.variables_of.items()}
        return _campaign(await campaigns.fill(principal, body.campaign_id, theirs))

    def by_id(
        name: str,
        method: str,
        path: str,
        summary: str,
        act: Callable[[Principal, UUID], Awaitable[Progress]],
    ) -> AnyOperation:
        async def run(principal: Principal, body: schemas.CampaignId) -> schemas.CampaignBody:
            return _campaign(await act(principal, body.campaign_id))

        return Operation(
            name=f"campaigns.{name}",
            method="GET" if method == "GET" else "POST",
            path=f"/admin/v1/campaigns/{{campaign_id}}{path}",
            summary=summary,
            takes=schemas.CampaignId,
            gives=schemas.CampaignBody,
            run=run,
            scope=Scope.CAMPAIGNS,
            refusals=(CampaignNotFound, CampaignUnstarted, CampaignOver, Denied),
        )

    return [
        Operation(
            name="campaigns.list",
            method="GET",
            path="/admin/v1/campaigns",
            summary="List campaigns, newest first.",
            takes=schemas.ListCampaigns,
            gives=schemas.CampaignPage,
            run=recent,
            scope=Scope.CAMPAIGNS,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="campaigns.create",
            method="POST",
            path="/admin/v1/campaigns",
            summary="Write a campaign down, without sending it.",
            takes=schemas.CreateCampaign,
            gives=schemas.CampaignBody,
            run=create,
            scope=Scope.CAMPAIGNS,
            status=201,
            refusals=(
                InvalidInput,
                IdempotencyMismatch,
                TemplateNotFound,
                *_FILLING,
                Denied,
            ),
        ),
        Operation(
            name="campaigns.fill",
            method="POST",
            path="/admin/v1/campaigns/{campaign_id}/variables",
            summary="Give single users of a draft variables of their own.",
            takes=schemas.FillCampaign,
            gives=schemas.CampaignBody,
            run=fill,
            scope=Scope.CAMPAIGNS,
            refusals=(InvalidInput, CampaignNotFound, CampaignStarted, *_FILLING, Denied),
        ),
        by_id("get", "GET", "", "See a campaign and how far it got.", campaigns.get),
        by_id("start", "POST", "/start", "Start a campaign, or go on with it.", campaigns.start),
        by_id("resume", "POST", "/resume", "Go on with a paused campaign.", campaigns.resume),
        by_id("pause", "POST", "/pause", "Send nothing of it for now.", campaigns.pause),
        by_id("cancel", "POST", "/cancel", "Send nothing more of it.", campaigns.cancel),
    ]


def _line(campaign: Campaign) -> schemas.CampaignLine:
    return schemas.CampaignLine(
        id=campaign.id,
        name=campaign.name,
        state=campaign.state,
        created_at=campaign.created_at,
        started_at=campaign.started_at,
        expires_at=campaign.expires_at,
        planned=campaign.planned_at is not None,
        stopped_reason=campaign.stopped_reason,
    )


def _campaign(progress: Progress) -> schemas.CampaignBody:
    campaign = progress.campaign
    return schemas.CampaignBody(
        id=campaign.id,
        name=campaign.name,
        state=campaign.state,
        template=campaign.template,
        variables=dict(campaign.variables),
        texts={
            locale: schemas.TextBody(text.title, text.body)
            for locale, text in campaign.texts.items()
        },
        locales=list(campaign.locales),
        link=campaign.link,
        data=dict(campaign.data),
        created_at=campaign.created_at,
        started_at=campaign.started_at,
        expires_at=campaign.expires_at,
        planned=campaign.planned_at is not None,
        stopped_reason=campaign.stopped_reason,
        per_second=campaign.per_second,
        targeted=progress.targeted,
        counts={state.value: progress.counts.get(state, 0) for state in PushState},
    )
