"""Connections of clients: what one holds, says and is sent."""
