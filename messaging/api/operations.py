"""The methods of the server API, declared once: served under `/api`, and described there."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Operation
from messaging.api import requests, results, user_requests
from messaging.api.batches import Batches
from messaging.api.calls import ROOT
from messaging.api.looks import Looks
from messaging.api.orders import Orders
from messaging.api.publications import Publications
from messaging.api.users import ApiUsers

I = TypeVar("I", bound=msgspec.Struct)  # noqa: E741
O = TypeVar("O")  # noqa: E741

BATCH = "batch"


def channel_operations(
    *, publications: Publications, orders: Orders, looks: Looks
) -> list[AnyOperation]:
    """What is asked of channels, connections and nodes."""
    return [
        _operation(
            "publish", "Publish to a channel.",
            requests.PublishRequest, results.PublishResult, publications.publish,
        ),
        _operation(
            "broadcast", "Publish the same to many channels.",
            requests.BroadcastRequest, results.BroadcastResult, publications.broadcast,
        ),
        _operation(
            "subscribe", "Subscribe a user's connections to a channel.",
            requests.SubscribeRequest, results.Done, orders.subscribe,
        ),
        _operation(
            "unsubscribe", "End a user's subscriptions to a channel, or to all.",
            requests.UnsubscribeRequest, results.Done, orders.unsubscribe,
        ),
        _operation(
            "disconnect", "Close a user's connections.",
            requests.DisconnectRequest, results.Done, orders.disconnect, Scope.USERS,
        ),
        _operation(
            "refresh", "Move when a user's connections expire.",
            requests.RefreshRequest, results.Done, orders.refresh, Scope.USERS,
        ),
        _operation(
            "presence", "List the connections in a channel.",
            requests.PresenceRequest, results.PresenceResult, looks.presence,
        ),
        _operation(
            "presence_stats", "Count the connections and users in a channel.",
            requests.PresenceStatsRequest, results.PresenceStatsResult, looks.presence_stats,
        ),
        _operation(
            "history", "Read a channel's history.",
            requests.HistoryRequest, results.HistoryResult, publications.history,
        ),
        _operation(
            "history_remove", "Remove a channel's history.",
            requests.HistoryRemoveRequest, results.Done, publications.history_remove,
        ),
        _operation(
            "channels", "List the channels that somebody is subscribed to.",
            requests.ChannelsRequest, results.ChannelsResult, looks.channels,
        ),
        _operation(
            "info", "List the nodes that hold connections.",
            requests.InfoRequest, results.InfoResult, looks.info, Scope.OPERATE,
        ),
    ]  # fmt: skip


def user_operations(users: ApiUsers) -> list[AnyOperation]:
    """What is asked of users, as Centrifugo's paid edition has it."""
    return [
        _operation(
            "connections", "Find live connections.",
            user_requests.ConnectionsRequest, results.ConnectionsResult, users.connections,
            Scope.USERS,
        ),
        _operation(
            "update_user_status", "Note that users are active right now.",
            user_requests.UsersRequest, results.Done, users.update_status, Scope.USERS,
        ),
        _operation(
            "get_user_status", "Say when users were active and online last.",
            user_requests.UsersRequest, results.UserStatusesResult, users.get_status, Scope.USERS,
        ),
        _operation(
            "delete_user_status", "Forget when users were there.",
            user_requests.UsersRequest, results.Done, users.delete_status, Scope.USERS,
        ),
        _operation(
            "block_user", "Keep a user out.",
            user_requests.BlockUserRequest, results.Done, users.block, Scope.USERS,
        ),
        _operation(
            "unblock_user", "Let a user in again.",
            user_requests.UnblockUserRequest, results.Done, users.unblock, Scope.USERS,
        ),
        _operation(
            "revoke_token", "Accept one token no more.",
            user_requests.RevokeTokenRequest, results.Done, users.revoke_token, Scope.USERS,
        ),
        _operation(
            "invalidate_user_tokens", "Accept no more what a user was issued.",
            user_requests.InvalidateUserTokensRequest, results.Done, users.invalidate_tokens,
            Scope.USERS,
        ),
    ]  # fmt: skip


def batch_operation(batches: Batches) -> AnyOperation:
    """Several of the others at once. Each of them asks for its own scope."""
    return _operation(
        BATCH,
        "Run several commands.",
        requests.BatchRequest,
        results.BatchResult,
        batches.batch,
        None,
    )


def _operation(
    method: str,
    summary: str,
    takes: type[I],
    gives: type[O],
    run: Callable[[Principal, I], Awaitable[O]],
    scope: Scope | None = Scope.CHANNELS,
) -> AnyOperation:
    made: Operation[Any, Any] = Operation(
        f"api.{method}", "POST", f"{ROOT}{method}", summary, takes, gives, run, scope=scope
    )
    return made
