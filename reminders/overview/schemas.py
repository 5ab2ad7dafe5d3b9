"""What operators ask for at a glance, and what they are shown."""

from datetime import date, datetime
from uuid import UUID

from reminders.operating_routes import DeadBody, MinuteBody, PauseBody, PlansAnswer
from reminders.schemas import Ask, ExplanationAnswer, FiringsAnswer, Reply, User


class AskOverview(Ask, frozen=True, kw_only=True):
    """With an event, a task of it, or a user, also what is known of that: with both, why the
    user is told of it or is not."""

    event_id: UUID | None = None
    task_id: UUID | None = None
    user_id: User | None = None


class LateBody(Reply, frozen=True, kw_only=True):
    """What is due already, and since when the first of it is."""

    firing_class: str
    firings: int
    since: datetime


class PeakBody(Reply, frozen=True, kw_only=True):
    """The busiest minute, all classes together."""

    at: datetime
    firings: int


class ZoneBody(Reply, frozen=True, kw_only=True):
    """A zone in use: when its offset changes next within a year, and of which release of the
    zone data its rules were when plans were last made from them."""

    zone: str
    utc_offset_seconds: int
    changes_at: datetime | None
    zone_data: str


class RamadanBody(Reply, frozen=True, kw_only=True):
    year: int
    starts_on: date
    ends_on: date


class InEventBody(Reply, frozen=True, kw_only=True):
    user_id: str
    role: str


class TitledBody(Reply, frozen=True, kw_only=True):
    id: UUID
    title: str


class FoundBody(Reply, frozen=True, kw_only=True):
    """What was asked for: the event with who is in it and its first tasks, or the one task; the
    user's next reminders, or the explanation. `refused` says what stood against it."""

    event: TitledBody | None
    members: list[InEventBody]
    tasks: list[TitledBody]
    task_id: UUID | None
    user_id: str | None
    coming: FiringsAnswer | None
    explanation: ExplanationAnswer | None
    refused: str


class OverviewAnswer(Reply, frozen=True, kw_only=True):
    """How reminders stand. `minutes` are the coming 24 hours; `late` is due already, and
    `catching_up` whether it is so late that it was an outage; what is paused does not count."""

    at: datetime
    minutes: list[MinuteBody]
    peak: PeakBody | None
    late: list[LateBody]
    oldest_due_age_seconds: float
    catching_up: bool
    pauses: list[PauseBody]
    plans: PlansAnswer
    spread_seconds: int
    dead: list[DeadBody]
    zone_data: str
    zones: list[ZoneBody]
    ramadans: list[RamadanBody]
    found: FoundBody | None
