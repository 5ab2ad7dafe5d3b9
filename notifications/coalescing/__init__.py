"""Busy threads: told of once in a while, with a count, and no more once they were read."""
