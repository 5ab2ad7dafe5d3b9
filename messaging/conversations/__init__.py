"""Conversations, their messages, and how far each member has read."""
