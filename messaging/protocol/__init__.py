"""The Centrifuge client protocol, sans I/O: values, two codecs and two state machines.

Nothing here waits, reads a clock, draws a random number or knows the rest of the house.

- `codes`: the numbers of errors, disconnects and unsubscribes, and `ProtocolViolation`.
- `frames`: what travels, as frozen values: commands, replies and pushes, made of `requests`,
  `results`, `events` and `values`. Names follow `client.proto` to the letter; every payload
  (`data`, `conn_info`, ...) is `bytes` holding JSON text, on both wire formats, and empty when
  absent.
- `codec`: the ports `Codec` and `ClientCodec`, and what both formats demand of a payload.
- `json_codec.JSON`, `protobuf_codec.PROTOBUF`: the two codecs. Stateless: one each per process.
- `unidirectional`: the same two where only the server speaks: bare pushes, one connect.
- `fossil`: what changed between two payloads, for subscriptions with deltas.
- `negotiation`: which codec a WebSocket handshake asks for.
- `server.ServerProtocol`: one connection, seen from the server.
- `client.ClientProtocol`: the same, seen from the client; for tests, tools and examples.

The contract of the server's side::

    protocol = ServerProtocol(JSON, rules=Rules(), now=now)

    commands = protocol.receive(frame)             # what arrived, as values and in order
    protocol.accept(command, result, now=now, first_ping=0.73)   # -> bytes: answers `connect`
    protocol.refreshed(command, result, now=now)   # -> bytes: answers `refresh`
    protocol.reply(command, result)                # -> bytes: answers anything else
    protocol.refuse(command, error, now=now)       # -> bytes: an error instead of a result
    protocol.tick(now)                             # at protocol.deadline: -> a ping, or None
    JSON.encode_push(push)                         # -> bytes: once per format for everybody
    JSON.join([reply, push, push])                 # -> bytes: one frame

Time is an argument, the next moment to call `tick` is the attribute `deadline`. A fault of the
peer raises `ProtocolViolation`: the edge closes the socket with its code and
`close_reason(violation.reason)`. A misuse of ours is an `AssertionError`.
"""
