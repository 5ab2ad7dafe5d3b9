"""Tracing: an operator watches a user or a channel, on all nodes, for a while."""
