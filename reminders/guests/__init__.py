"""Guests: inviting them, hearing their answers, and leaving those alone who ask for it."""
