"""The socket that a node listens on."""

import socket
from contextlib import closing

from server.serving import UNANSWERED, listening_socket


def test_connections_whose_client_acknowledges_nothing_are_given_up_by_the_system():
    with closing(listening_socket("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()

        milliseconds = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

        accepted.close()
        client.close()
    assert milliseconds == UNANSWERED * 1000
