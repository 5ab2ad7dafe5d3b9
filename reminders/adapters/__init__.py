"""Reminders' ports, met with SQL."""
