"""Ports that are free, for a moment in which neighbours look for some too."""

import os
import socket

import pytest

from server.wiring import free_ports
from server.wiring.free_ports import EACH, free_port

HOST = "127.0.0.1"


def test_no_port_is_given_twice_in_a_row():
    given = [free_port(HOST) for _ in range(EACH // 2)]

    assert len(set(given)) == len(given)


def test_what_somebody_listens_on_is_passed_over():
    with socket.create_server((HOST, free_port(HOST))) as taken:
        port = taken.getsockname()[1]
        assert port not in {free_port(HOST) for _ in range(EACH)}


def test_a_neighbour_looks_elsewhere(monkeypatch):
    ours = {free_port(HOST) for _ in range(EACH // 2)}
    neighbour = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: neighbour)

    assert ours.isdisjoint({free_port(HOST) for _ in range(EACH // 2)})


def test_where_all_are_taken_it_says_among_which(monkeypatch):
    port = free_port(HOST)
    monkeypatch.setattr(free_ports, "EACH", 1)
    monkeypatch.setattr(free_ports, "FIRST", port - os.getpid() % free_ports.PROCESSES)
    with (
        socket.create_server((HOST, port)),
        pytest.raises(OSError, match=f"no free port between {port} and {port}"),
    ):
        free_port(HOST)
