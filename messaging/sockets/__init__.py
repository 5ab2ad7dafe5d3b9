"""Sockets: WebSocket connections from the handshake to the last byte."""
