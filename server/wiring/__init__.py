"""The composition root: from settings to a house. Only here do ports meet their adapters."""
