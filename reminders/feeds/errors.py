"""What calendar feeds refuse."""

from kernel.errors import Kind, Refusal


class FeedNotFound(Refusal):
    """There is no such calendar feed, or not any more."""

    kind = Kind.NOT_FOUND
    code = "feed.not_found"


class TooManyFeeds(Refusal):
    """The user has as many calendar feeds as one may."""

    kind = Kind.CONFLICT
    code = "feed.too_many"
