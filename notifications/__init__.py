"""Reaching people who are away: devices, notifications, and the providers that carry them."""
