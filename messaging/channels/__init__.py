"""Channels: their names, what a namespace allows, and grants to single ones."""
