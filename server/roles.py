"""Roles: which part of the work a process does. Every role may run in many processes."""

from collections.abc import Iterable
from enum import StrEnum


class ServerRole(StrEnum):
    """A process has at least one; by default it has all."""

    GATEWAY = "gateway"
    """Holds the clients' connections and answers HTTP requests."""
    RELAY = "relay"
    """Hands outbox entries to their handlers."""
    DISPATCHER = "dispatcher"
    """Sends pushes to the providers."""
    SCHEDULER = "scheduler"
    """Plans firings and lets due ones go off."""


ALL = frozenset(ServerRole)


def chosen(names: Iterable[str]) -> frozenset[ServerRole]:
    """The roles that were named; all of them if none was."""
    return frozenset(map(ServerRole, names)) or ALL
