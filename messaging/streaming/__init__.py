"""Connections over plain HTTP: a stream down, and requests up where clients speak at all."""
