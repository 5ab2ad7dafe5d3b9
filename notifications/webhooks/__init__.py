"""Webhooks: the application's servers are told what became of pushes."""
