"""Calendars of others, read into tasks."""
