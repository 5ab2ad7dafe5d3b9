"""Bodies of the API of calendar feeds."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from reminders.schemas import Ask, Reply, User


class IssueFeed(Ask, frozen=True, kw_only=True):
    """Of one event, or of all that the user is in. `todos` are for apps that show them in
    subscriptions; most show only events. `mine` are the tasks that the user is told of."""

    event_id: UUID | None = None
    tasks: Literal["events", "todos", "nothing"] = "events"
    whose: Literal["all", "mine"] = "all"


class IssueFeedFor(IssueFeed, frozen=True, kw_only=True):
    user_id: User


class ListFeeds(Ask, frozen=True, kw_only=True):
    """A user's own."""


class ListFeedsOf(ListFeeds, frozen=True, kw_only=True):
    user_id: User


class OneFeed(Ask, frozen=True, kw_only=True):
    feed_id: UUID


class OneFeedOf(OneFeed, frozen=True, kw_only=True):
    user_id: User


class ReadFeed(Ask, frozen=True, kw_only=True):
    secret: Annotated[str, msgspec.Meta(max_length=128)]


class FeedBody(Reply, frozen=True, kw_only=True):
    """Without its address, which nobody knows any more."""

    id: UUID
    event_id: UUID | None
    tasks: str
    whose: str
    created_at: datetime


class IssuedFeed(FeedBody, frozen=True, kw_only=True):
    """With the path that the calendar app fetches. Whoever has it may read the feed; it is
    shown this once."""

    path: str


class FeedsAnswer(Reply, frozen=True, kw_only=True):
    feeds: list[FeedBody]
