"""Conversations in real time: their log, who listens, and what reaches whom."""
