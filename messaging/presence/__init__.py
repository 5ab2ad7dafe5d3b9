"""Presence: who is there, who went, and who hears of it by push."""
