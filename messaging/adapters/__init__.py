"""Messaging's ports, met with SQL, Redis and plain memory."""
