"""Sends: what servers ask to be pushed, to whom, and what came of it."""
