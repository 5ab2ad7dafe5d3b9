"""Delivery: from what was published to the frames of those who listen."""
