"""What can be asked about calendar feeds, and reading one."""

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.operations import AnyOperation, Document, Nothing, Operation
from reminders.errors import EventNotFound, NotInEvent
from reminders.feeds import schemas
from reminders.feeds.errors import FeedNotFound, TooManyFeeds
from reminders.feeds.feeds import Feeds
from reminders.feeds.types import Feed, Shown, Whose
from reminders.limits import checked_user
from reminders.offers import both

_FEEDS = "/calendar-feeds"
_READ = "/v1/calendars/{secret}.ics"


def feed_operations(feeds: Feeds) -> list[AnyOperation]:
    """Each for users and for servers; and the feed itself, for whoever has its secret."""
    asking = _Asking(feeds)
    return [
        *both(
            "feeds.issue",
            "POST",
            _FEEDS,
            "Make the secret address at which calendar apps fetch events; an earlier one ends.",
            schemas.IssueFeed,
            schemas.IssuedFeed,
            asking.issue,
            (InvalidInput, EventNotFound, NotInEvent, TooManyFeeds),
            takes_for=schemas.IssueFeedFor,
            status=201,
        ),
        *both(
            "feeds.list",
            "GET",
            _FEEDS,
            "List a user's calendar feeds, the one made last first.",
            schemas.ListFeeds,
            schemas.FeedsAnswer,
            asking.listed,
            (InvalidInput,),
            takes_for=schemas.ListFeedsOf,
        ),
        *both(
            "feeds.revoke",
            "DELETE",
            f"{_FEEDS}/{{feed_id}}",
            "End a calendar feed: its address leads nowhere from now on.",
            schemas.OneFeed,
            Nothing,
            asking.revoke,
            (InvalidInput, FeedNotFound),
            takes_for=schemas.OneFeedOf,
        ),
        Operation(
            name="feeds.read",
            method="GET",
            path=_READ,
            summary="What a calendar feed says, for calendar apps. Its secret is all it takes.",
            takes=schemas.ReadFeed,
            gives=Document,
            run=asking.read,
            document="text/calendar",
            open=True,
            refusals=(FeedNotFound,),
        ),
    ]


class _Asking:
    """From what is asked to the use cases, and back."""

    def __init__(self, feeds: Feeds) -> None:
        self._feeds = feeds

    async def issue(self, principal: Principal, asked: schemas.IssueFeed) -> schemas.IssuedFeed:
        feed, secret = await self._feeds.issue(
            principal,
            event_id=asked.event_id,
            shown=Shown(asked.tasks),
            whose=Whose(asked.whose),
            user_id=_named(asked),
        )
        return schemas.IssuedFeed(
            id=feed.id,
            event_id=feed.event_id,
            tasks=str(feed.shown),
            whose=str(feed.whose),
            created_at=feed.created_at,
            path=_READ.format(secret=secret),
        )

    async def listed(self, principal: Principal, asked: schemas.ListFeeds) -> schemas.FeedsAnswer:
        found = await self._feeds.of(principal, user_id=_named(asked))
        return schemas.FeedsAnswer(feeds=[_body(each) for each in found])

    async def revoke(self, principal: Principal, asked: schemas.OneFeed) -> Nothing:
        await self._feeds.revoke(principal, asked.feed_id, user_id=_named(asked))
        return Nothing()

    async def read(self, _: Principal, asked: schemas.ReadFeed) -> Document:
        return await self._feeds.read(asked.secret)


def _body(feed: Feed) -> schemas.FeedBody:
    return schemas.FeedBody(
        id=feed.id,
        event_id=feed.event_id,
        tasks=str(feed.shown),
        whose=str(feed.whose),
        created_at=feed.created_at,
    )


def _named(
    asked: schemas.IssueFeed | schemas.ListFeeds | schemas.OneFeed,
) -> UserId | None:
    named = getattr(asked, "user_id", None)
    return None if named is None else checked_user(named)
