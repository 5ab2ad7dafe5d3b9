"""Calendars of other programs, read into an event's tasks."""
