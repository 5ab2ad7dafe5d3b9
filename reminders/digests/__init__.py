"""Digests: what a user is told in one, once a day."""
